"""A series becomes a volume whose voxels lie where the patient was."""

from __future__ import annotations

import numpy as np
import pytest
from film_datasets import film_dataset
from pydicom.dataset import Dataset

from inference.errors import UnsuitableFilmError
from inference.volume import oriented, resampled, to_volume


def series(count: int = 6, gap_mm: float = 2.5) -> list[Dataset]:
    """Return oblique slices; the value of a pixel says slice, row and column."""
    tilt = np.deg2rad(20)
    rows, columns = [1.0, 0.0, 0.0], [0.0, float(np.cos(tilt)), float(np.sin(tilt))]
    normal = np.cross(rows, columns)
    row, column = np.mgrid[0:5, 0:7]
    positions = np.array([10.0, -20.0, 30.0]) + np.outer(np.arange(count) * gap_mm, normal)
    return [
        film_dataset(
            (index * 100 + row * 10 + column).astype(np.int16),
            Modality="CT",
            RescaleSlope=2,
            RescaleIntercept=-1024,
            ImageOrientationPatient=[*rows, *columns],
            ImagePositionPatient=positions[index].round(6).tolist(),
            PixelSpacing=[0.8, 0.5],
        )
        for index in range(count)
    ]


def test_every_voxel_lies_where_its_slice_says() -> None:
    slices = series()
    volume = to_volume(slices[::-1])

    fourth = slices[3]
    orientation = np.array(fourth.ImageOrientationPatient, float)
    expected = np.array(fourth.ImagePositionPatient, float) + orientation[:3] * 0.5 * 6 + orientation[3:] * 0.8 * 4
    assert pytest.approx(expected, abs=1e-4) == np.array(volume.TransformIndexToPhysicalPoint((6, 4, 3)))
    assert volume[6, 4, 3] == (300 + 40 + 6) * 2 - 1024


def test_turning_a_volume_moves_no_voxel_in_the_patient() -> None:
    volume = to_volume(series())

    turned = oriented(volume, "RAS")

    point = volume.TransformIndexToPhysicalPoint((6, 4, 3))
    assert volume[6, 4, 3] == turned[turned.TransformPhysicalPointToIndex(point)]


def test_resampling_keeps_the_place_and_the_mean() -> None:
    volume = to_volume(series())

    coarse = resampled(volume, (1.0, 1.6, 5.0))

    assert pytest.approx((1.0, 1.6, 5.0)) == coarse.GetSpacing()
    assert volume.GetOrigin() == coarse.GetOrigin()


@pytest.mark.parametrize("missing", [2, 3])
def test_a_missing_slice_is_named(missing: int) -> None:
    slices = series()
    del slices[missing]

    with pytest.raises(UnsuitableFilmError, match=r"gaps of 2\.500 to 5\.000 mm") as refusal:
        to_volume(slices)

    assert refusal.value.code == "geometry"


def test_a_slice_of_another_orientation_is_named() -> None:
    slices = series()
    slices[2].ImageOrientationPatient = [0, 1, 0, 0, 0, 1]

    with pytest.raises(UnsuitableFilmError, match="ImageOrientationPatient: differs"):
        to_volume(slices)


def test_slices_without_place_are_named() -> None:
    slices = series()
    del slices[0].ImagePositionPatient

    with pytest.raises(UnsuitableFilmError, match="ImagePositionPatient: absent in 1 of 6"):
        to_volume(slices)


def test_one_slice_is_no_volume() -> None:
    with pytest.raises(UnsuitableFilmError, match="1 slice; a volume needs two"):
        to_volume(series(1))


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PixelSpacing": [0, 0]}, "PixelSpacing: 0 and 0 mm; both are above zero"),
        ({"PixelSpacing": [-4, -4]}, "PixelSpacing: -4 and -4 mm; both are above zero"),
        ({"PixelSpacing": [4000, 4000]}, "PixelSpacing × Rows: 4000 mm × 5; a volume of a person has 1 to 3000 mm"),
        ({"PixelSpacing": [0.5, 1e-6]}, "PixelSpacing × Columns: 1e-06 mm × 7; a volume of a person has"),
        ({"PixelSpacing": ["nan", "nan"]}, "PixelSpacing: not 2 finite numbers in 6 of 6 slices"),
        ({"PixelSpacing": 0.5}, "PixelSpacing: not 2 finite numbers in 6 of 6 slices"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1]}, "ImageOrientationPatient: not 6 finite numbers"),
        ({"ImagePositionPatient": ["nan", "0", "0"]}, "ImagePositionPatient: not 3 finite numbers"),
    ],
)
def test_numbers_that_no_slice_has_are_named(elements: dict[str, object], said: str) -> None:
    slices = series()
    for each in slices:
        for keyword, value in elements.items():
            setattr(each, keyword, value)

    with pytest.raises(UnsuitableFilmError, match=said) as refusal:
        to_volume(slices)

    assert "geometry" == refusal.value.code


def test_slices_further_apart_than_a_person_is_long_are_named() -> None:
    with pytest.raises(UnsuitableFilmError, match="gap of ImagePositionPatient × slices: 1000 mm × 6"):
        to_volume(series(gap_mm=1000.0))


def test_a_volume_that_takes_all_memory_for_the_model_is_refused() -> None:
    with pytest.raises(UnsuitableFilmError, match="3500 × 4000 × 15000 voxels for the model") as refusal:
        resampled(to_volume(series()), (0.001, 0.001, 0.001))

    assert "pixels" == refusal.value.code
