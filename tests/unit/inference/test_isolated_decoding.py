"""A file that ends its decoder ends nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from film_datasets import film_dataset

from inference import isolation
from inference.errors import DecoderError, FilmError, UnreadablePixelsError, UnsuitableFilmError
from inference.guard import Guard
from inference.isolation import DecodeProcess, prepared_film
from inference.preprocessing import Preprocessing
from inference.reading import Reading, Source
from inference.types import Radiograph

GUARD = Guard(("CR",), ("CHEST",), ("PA",))
PREPROCESSING = Preprocessing(64, 0.5, 0.5)


class Poison(Preprocessing):
    """Ends the process as a crashing decoder does."""

    def prepare(self, radiograph: Radiograph) -> None:  # type: ignore[override]
        os._exit(9)


class Endless(Preprocessing):
    """Comes to no end, as a decoder does on some damaged streams."""

    def prepare(self, radiograph: Radiograph) -> None:  # type: ignore[override]
        time.sleep(600)


def test_the_next_film_is_read_after_one_that_came_to_no_end(clinical_film: Path) -> None:
    with DecodeProcess.running() as process:
        process.prepared(clinical_film, GUARD, PREPROCESSING)
        process.limit_s = 1.0
        with pytest.raises(UnreadablePixelsError, match="not decoded after 1 s") as refusal:
            process.prepared(clinical_film, GUARD, Endless(64, 0.5, 0.5))
        assert Reading(Source((clinical_film,)), refusal.value).is_failure

        process.limit_s = 60.0
        assert process.prepared(clinical_film, GUARD, PREPROCESSING).tensor.shape == (1, 64, 64)


def begin_slowly() -> None:
    """Set up a process as a busy machine does."""
    time.sleep(5.0)


def test_the_start_of_the_process_is_no_time_of_the_film(clinical_film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "begin", begin_slowly)

    with DecodeProcess.running(limit_s=4.0) as process:
        assert process.prepared(clinical_film, GUARD, PREPROCESSING).tensor.shape == (1, 64, 64)


def test_the_next_film_is_read_after_one_that_ended_the_process(clinical_film: Path) -> None:
    with DecodeProcess.running() as process:
        with pytest.raises(UnreadablePixelsError, match="it ended its decoder"):
            process.prepared(clinical_film, GUARD, Poison(64, 0.5, 0.5))

        assert process.prepared(clinical_film, GUARD, PREPROCESSING).tensor.shape == (1, 64, 64)


def test_a_refusal_comes_back_with_its_code(clinical_film: Path) -> None:
    with DecodeProcess.running() as process, pytest.raises(UnsuitableFilmError) as refusal:
        process.prepared(clinical_film, Guard(("DX",), (), ()), PREPROCESSING)

    assert refusal.value.code == "modality"


def end_at_once() -> None:
    """End the process as it begins, as a machine without memory does."""
    os._exit(9)


def test_a_decoder_that_does_not_start_is_no_fault_of_the_film(
    clinical_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = isolation.begin
    monkeypatch.setattr(isolation, "begin", end_at_once)

    with DecodeProcess.running() as process:
        monkeypatch.setattr(isolation, "begin", begin)
        with pytest.raises(DecoderError, match="its process did not start"):
            process.prepared(clinical_film, GUARD, PREPROCESSING)
        assert process.prepared(clinical_film, GUARD, PREPROCESSING).tensor.shape == (1, 64, 64)


def test_the_header_is_judged_before_the_pixels_are_asked_for(tmp_path: Path) -> None:
    lateral = film_dataset(np.zeros((4, 4), np.uint16), ViewPosition="LL", BodyPartExamined="CHEST")
    lateral.PixelData = b"\0\0"  # far less than Rows and Columns say
    lateral.save_as(tmp_path / "lateral.dcm", implicit_vr=False, little_endian=True)

    with pytest.raises(FilmError) as refusal:
        prepared_film(tmp_path / "lateral.dcm", GUARD, PREPROCESSING)

    assert "view" == refusal.value.code


def test_a_header_that_nobody_can_judge_is_refused(tmp_path: Path) -> None:
    strange = film_dataset(np.zeros((4, 4), np.uint16))
    strange.add_new("ViewCodeSequence", "LO", "no sequence")
    strange.save_as(tmp_path / "strange.dcm", implicit_vr=False, little_endian=True)

    with pytest.raises(FilmError, match="header: an element of the image") as refusal:
        prepared_film(tmp_path / "strange.dcm", GUARD, PREPROCESSING)

    assert "pixels" == refusal.value.code
