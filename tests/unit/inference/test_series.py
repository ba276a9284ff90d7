"""A series in files is one volume of one patient, or is refused before its pixels are decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from test_volumes import series

from inference.errors import FilmError
from inference.isolation import prepared_series
from inference.series import require_series
from inference.volume_preprocessing import SeriesGuard, VolumePreprocessing

GUARD = SeriesGuard(("CT",), ("CHEST",), ())
PREPROCESSING = VolumePreprocessing((4, 3, 5), (2.5, 0.8, 0.5), 0.0, 1.0, (-2000.0, 2000.0))


def written(slices: list[Dataset], folder: Path) -> list[Path]:
    """Return the files of slices."""
    files = [folder / f"{number}.dcm" for number in range(len(slices))]
    for number, (each, file) in enumerate(zip(slices, files, strict=True)):
        each.SOPInstanceUID = f"2.25.{number + 1}"
        each.save_as(file, implicit_vr=False, little_endian=True)
    return files


@pytest.mark.parametrize(
    "keyword", ["PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID"]
)
def test_slices_of_two_patients_or_places_are_no_volume(tmp_path: Path, keyword: str) -> None:
    slices = series()
    for number, each in enumerate(slices):
        setattr(each, keyword, "19640101" if number < 2 else "19650101")

    with pytest.raises(FilmError) as refusal:
        prepared_series(written(slices, tmp_path), GUARD, PREPROCESSING)

    assert "identity" == refusal.value.code
    assert refusal.value.reason == f"{keyword}: differs within the series; a volume is of one patient and place"


def test_a_series_of_more_voxels_than_any_scanner_makes_is_not_decoded() -> None:
    slices = series()
    for each in slices:
        each.Rows = each.Columns = 8192
        each.PixelSpacing = [0.1, 0.1]

    with pytest.raises(FilmError, match="402653184; a series has at most 300000000") as refusal:
        require_series(slices, GUARD)

    assert "pixels" == refusal.value.code


def test_an_element_in_a_form_that_is_none_is_a_reason() -> None:
    slices = series()
    slices[0].Rows = [5, 5]

    with pytest.raises(FilmError, match="header: an element of a slice has a form") as refusal:
        require_series(slices, GUARD)

    assert "pixels" == refusal.value.code


def test_what_the_guard_says_of_any_slice_is_said_first() -> None:
    slices = series()
    slices[3].Modality, slices[2].PatientID = "MR", "another"

    with pytest.raises(FilmError, match="Modality: MR"):
        require_series(slices, GUARD)


def test_slices_without_area_are_refused_by_their_size() -> None:
    slices = series()
    for each in slices:
        each.Rows = 0

    with pytest.raises(FilmError, match="Rows × Columns: 0 × 7; an image has one pixel at least") as refusal:
        require_series(slices, GUARD)

    assert "pixels" == refusal.value.code


def test_what_stands_where_a_number_of_frames_should_is_not_told() -> None:
    slices = series()
    slices[0].add_new("NumberOfFrames", "LO", "Doe^Jane")

    with pytest.raises(FilmError) as refusal:
        require_series(slices, GUARD)

    assert "Doe" not in refusal.value.reason


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("RescaleSlope", None, "RescaleSlope: absent in 1 of 6 slices; a CT image has it (PS3.3 C.8.2.1, type 1)"),
        (
            "RescaleIntercept",
            "",
            "RescaleIntercept: absent in 1 of 6 slices; a CT image has it (PS3.3 C.8.2.1, type 1)",
        ),
        ("RescaleType", "US", "RescaleType: other than HU in 1 of 6 slices; a model reads CT in HU (PS3.3 C.11.1.1.2)"),
        (
            "RescaleType",
            "Zei",
            "RescaleType: other than HU in 1 of 6 slices; a model reads CT in HU (PS3.3 C.11.1.1.2)",
        ),
    ],
)
def test_ct_slices_whose_values_are_no_hounsfield_units_are_refused(keyword: str, value: str, said: str) -> None:
    slices = series()
    setattr(slices[2], keyword, value)

    with pytest.raises(FilmError) as refusal:
        require_series(slices, GUARD)

    assert ("units", said) == (refusal.value.code, refusal.value.reason)


@pytest.mark.parametrize("kind", ["HU", "", None])
def test_ct_slices_in_hounsfield_units_are_a_series(kind: str | None) -> None:
    slices = series()
    for each in slices:
        each.RescaleType = kind

    require_series(slices, GUARD)


def test_slices_of_other_modalities_need_no_units() -> None:
    slices = series()
    for each in slices:
        each.Modality, each.RescaleType = "MR", "US"
        del each.RescaleSlope, each.RescaleIntercept

    require_series(slices, SeriesGuard(("MR",), ("CHEST",), ()))


def test_slices_that_share_an_instance_uid_are_refused() -> None:
    slices = series()
    slices[4].SOPInstanceUID = slices[1].SOPInstanceUID = "2.25.7"

    with pytest.raises(
        FilmError, match="SOPInstanceUID: the same in 2 of 6 slices; each instance has its own"
    ) as refusal:
        require_series(slices, GUARD)

    assert "identity" == refusal.value.code
