"""A deflated data set is inflated no further than it is read, and an image has bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from film_datasets import film_dataset
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference import deflated, film
from inference.deflated import read_instance
from inference.errors import FilmError
from inference.film import read_film
from inference.isolation import series_of

RAMP = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)


def deflated_film(path: Path, **elements: object) -> Path:
    dataset = film_dataset(RAMP, SOPInstanceUID="2.25.1", SeriesInstanceUID="2.25.2", **elements)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def peak_of(work: Callable[[], object]) -> int:
    """Return how many bytes a piece of work holds at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_deflated_data_set_is_read_as_pydicom_reads_it() -> None:
    path = Path(str(get_testdata_file("image_dfl.dcm")))

    assert pydicom.dcmread(path) == read_instance(path)


def test_a_deflated_film_is_the_one_that_was_deflated(tmp_path: Path) -> None:
    film_dataset(RAMP, SOPInstanceUID="2.25.1").save_as(tmp_path / "plain.dcm", enforce_file_format=True)

    deflated_pixels = read_film(deflated_film(tmp_path / "deflated.dcm")).pixels

    assert (read_film(tmp_path / "plain.dcm").pixels == deflated_pixels).all()


def test_a_film_that_inflates_to_more_than_an_image_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deflated, "MOST_BYTES", 2_000_000)
    path = deflated_film(tmp_path / "film.dcm", PixelData=bytes(100_000_000))

    def refused() -> None:
        with pytest.raises(FilmError, match="data set: more than 2000000 bytes when inflated") as refusal:
            read_film(path)
        assert "pixels" == refusal.value.code

    assert path.stat().st_size < 200_000
    assert peak_of(refused) < 20_000_000


def test_pixels_are_not_inflated_for_a_header(tmp_path: Path) -> None:
    path = deflated_film(tmp_path / "film.dcm", PixelData=bytes(100_000_000))

    assert peak_of(lambda: read_instance(path, stop_before_pixels=True)) < 10_000_000


def test_a_header_has_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated, "MOST_HEADER_BYTES", 1_000_000)
    path = deflated_film(tmp_path / "film.dcm", EncapsulatedDocument=bytes(5_000_000))

    with pytest.raises(FilmError, match="data set: more than 1000000 bytes when inflated"):
        series_of(path)


def test_a_deflated_film_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = deflated_film(tmp_path / "film.dcm")
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(FilmError, match="file: no DICOM, PNG or JPEG") as refusal:
        read_film(path)

    assert "format" == refusal.value.code


def test_a_machine_without_memory_is_no_fault_of_a_film(clinical_film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(film, "read_instance", full)

    with pytest.raises(MemoryError):
        read_film(clinical_film)
