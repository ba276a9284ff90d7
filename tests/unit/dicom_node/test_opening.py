"""What is wrong with a file is its refusal; what is wrong with the disk is tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dicom_node.opening import Judge, open_film
from dicom_node.opening_series import SeriesJudge, open_series
from inference.guard import Guard
from inference.preprocessing import Preprocessing
from structured_reports.port import Refusal
from tests.conftest import as_study, cut_in_sequence

Opened = Callable[[Path], Any]


def film(path: Path) -> object:
    return open_film(path, cast(Judge, None))  # nobody is asked about what cannot be read


def series(path: Path) -> object:
    return open_series([path], cast(SeriesJudge, None))


@pytest.mark.parametrize("opened", [film, series])
def test_a_file_that_ends_within_a_sequence_is_refused(ct_slice: Path, tmp_path: Path, opened: Opened) -> None:
    refusal = opened(cut_in_sequence(ct_slice, tmp_path / "broken.dcm"))

    assert isinstance(refusal, Refusal)
    assert "pixels" == refusal.code


@pytest.mark.parametrize("opened", [film, series])
def test_what_the_disk_does_not_give_is_no_fault_of_the_file(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "lost.dcm")


def test_a_film_whose_pixels_are_not_square_is_refused_before_it_is_decoded(chest_film: Path, tmp_path: Path) -> None:
    path = as_study(chest_film, tmp_path / "film.dcm", 1, PixelSpacing=[0.4, 0.2], ViewPosition="PA")
    judge = Judge(Preprocessing(32, 0.5, 0.5), Guard(("CR", "DX"), ("CHEST",), ("PA",)))

    refusal = open_film(path, judge)

    reason = "PixelSpacing: 0.4 and 0.2; pixels of a film are square (PS3.3 C.7.6.3.1.7)"
    assert Refusal("geometry", reason) == refusal
