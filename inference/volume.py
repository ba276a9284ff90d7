"""A series of slices as one volume in patient coordinates, by SimpleITK."""

# SimpleITK's stubs leave most methods without types.
# mypy: disable-error-code="no-untyped-call, no-any-return"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.decoding import stored_values
from inference.errors import UnsuitableFilmError
from inference.grayscale import modality_values

Floats = NDArray[np.float64]

# Share of the spacing by which a slice may lie off its place; beyond it a slice is missing or doubled.
POSITION_TOLERANCE = 0.05
DIRECTION_TOLERANCE = 1e-3


def to_volume(slices: Sequence[Dataset]) -> SimpleITK.Image:
    """Return the volume of one series in modality units (HU for CT), float32.

    Origin, spacing and direction are those of the patient (PS3.3 C.7.6.2.1.1): LPS, as DICOM and ITK share.

    Raises
    ------
    UnsuitableFilmError
        The slices are not parallel, differ in size, or are not evenly spaced (`geometry`).
    UnreadablePixelsError
        As `inference.film.to_radiograph`.
    """
    require_geometry(slices)
    rows, columns, normal = axes_of(slices[0])
    ordered = sorted(slices, key=lambda each: float(position_of(each) @ normal))
    require_parallel(ordered)
    volume = SimpleITK.GetImageFromArray(np.stack([modality_values(stored_values(each), each) for each in ordered]))
    # PixelSpacing gives the distance of rows first; ITK wants x first.
    row_spacing, column_spacing = (float(value) for value in ordered[0].PixelSpacing)
    volume.SetSpacing((column_spacing, row_spacing, even_spacing(ordered, normal)))
    volume.SetOrigin(tuple(position_of(ordered[0])))
    volume.SetDirection(tuple(np.stack([rows, columns, normal], axis=1).ravel()))
    return volume


def oriented(volume: SimpleITK.Image, orientation: str = "LPS") -> SimpleITK.Image:
    """Return a volume whose axes run towards the named sides of the patient; no value is interpolated."""
    return SimpleITK.DICOMOrient(volume, orientation)


def resampled(volume: SimpleITK.Image, spacing_mm: tuple[float, float, float]) -> SimpleITK.Image:
    """Return a volume at another spacing, smoothed first along each axis that becomes coarser."""
    old = np.asarray(volume.GetSpacing())
    new = np.asarray(spacing_mm, float)
    # Standard deviation that leaves little above the new sampling limit (Cardoso et al., MICCAI 2015).
    sigma = np.sqrt(np.maximum(0.0, new**2 - old**2) / (8.0 * np.log(2.0)))
    # Not the recursive filter: it needs four slices. In units of length, and as wide as the coarsest grid needs.
    smooth = SimpleITK.DiscreteGaussian(volume, (sigma**2).tolist(), maximumKernelWidth=128) if sigma.any() else volume
    size = np.maximum(1, np.rint(np.asarray(volume.GetSize()) * old / new)).astype(int).tolist()
    return SimpleITK.Resample(
        smooth, size, SimpleITK.Transform(), SimpleITK.sitkLinear, volume.GetOrigin(), spacing_mm,
        volume.GetDirection(), float(SimpleITK.GetArrayViewFromImage(volume).min()), SimpleITK.sitkFloat32,
    )  # fmt: skip


def axes_of(dataset: Dataset) -> tuple[Floats, Floats, Floats]:
    """Return the directions of rows, of columns and of their normal in patient coordinates."""
    cosines = np.asarray(dataset.ImageOrientationPatient, float)
    return cosines[:3], cosines[3:], np.cross(cosines[:3], cosines[3:])


def position_of(dataset: Dataset) -> Floats:
    """Return the centre of the first pixel in patient coordinates, mm."""
    return np.asarray(dataset.ImagePositionPatient, float)


def require_geometry(slices: Sequence[Dataset]) -> None:
    """Raise unless there are two slices or more, each with its place in the patient."""
    if len(slices) < 2:
        raise UnsuitableFilmError("geometry", f"series: {len(slices)} slice; a volume needs two")
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"):
        absent = sum(not each.get(keyword) for each in slices)
        if absent:
            raise UnsuitableFilmError("geometry", f"{keyword}: absent in {absent} of {len(slices)} slices")


def require_parallel(slices: Sequence[Dataset]) -> None:
    """Raise unless all slices have one orientation, one size and one spacing."""
    for keyword in ("ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"):
        values = np.array([np.atleast_1d(np.asarray(each.get(keyword), float)) for each in slices])
        if not np.allclose(values, values[0], atol=DIRECTION_TOLERANCE):
            raise UnsuitableFilmError("geometry", f"{keyword}: differs within the series")


def even_spacing(slices: Sequence[Dataset], normal: Floats) -> float:
    """Return the distance of neighbouring slices, mm."""
    gaps = np.diff([float(position_of(each) @ normal) for each in slices])
    spacing = float(np.median(gaps))
    if spacing <= 0.0 or np.abs(gaps - spacing).max() > POSITION_TOLERANCE * spacing:
        raise UnsuitableFilmError(
            "geometry",
            f"ImagePositionPatient: gaps of {gaps.min():.3f} to {gaps.max():.3f} mm; slices are even",
        )
    return spacing
