"""A series of slices as one volume in patient coordinates, by SimpleITK."""

# SimpleITK's stubs leave most methods without types.
# mypy: disable-error-code="no-untyped-call, no-any-return"

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK
from pydicom.dataset import Dataset

from inference.decoding import stored_values
from inference.errors import UnsuitableFilmError
from inference.grayscale import modality_values
from inference.stack import Stack

# A whole body at 1 mm has half of it, and takes 4 GB on its way to the grid of a model.
MOST_RESAMPLED = 1_000_000_000


def to_volume(slices: Sequence[Dataset]) -> SimpleITK.Image:
    """Return the volume of one series in modality units (HU for CT), float32.

    Origin, spacing and direction are those of the patient (PS3.3 C.7.6.2.1.1): LPS, as DICOM and ITK share.

    Raises
    ------
    UnsuitableFilmError
        The slices are not parallel, differ in size, are shifted or not evenly spaced (`geometry`).
    UnreadablePixelsError
        As `inference.film.to_radiograph`.
    """
    stack = Stack.of(slices)
    ordered = [slices[number] for number in stack.order]
    volume = SimpleITK.GetImageFromArray(np.stack([modality_values(stored_values(each), each) for each in ordered]))
    # PixelSpacing gives the distance of rows first; ITK wants x first.
    row_spacing, column_spacing = stack.pixel_spacing_mm
    volume.SetSpacing((column_spacing, row_spacing, stack.spacing_mm))
    volume.SetOrigin(stack.positions[0])
    volume.SetDirection(stack.direction)
    return volume


def oriented(volume: SimpleITK.Image, orientation: str = "LPS") -> SimpleITK.Image:
    """Return a volume whose axes run towards the named sides of the patient; no value is interpolated."""
    return SimpleITK.DICOMOrient(volume, orientation)


def resampled(volume: SimpleITK.Image, spacing_mm: tuple[float, float, float]) -> SimpleITK.Image:
    """Return a volume at another spacing, smoothed first along each axis that becomes coarser.

    Raises
    ------
    UnsuitableFilmError
        More than a thousand million voxels at that spacing (`pixels`).
    """
    old = np.asarray(volume.GetSpacing())
    new = np.asarray(spacing_mm, float)
    size = np.maximum(1, np.rint(np.asarray(volume.GetSize()) * old / new)).astype(int).tolist()
    if math.prod(size) > MOST_RESAMPLED:
        shown = " × ".join(map(str, size))
        raise UnsuitableFilmError("pixels", f"series: {shown} voxels for the model; it may have {MOST_RESAMPLED}")
    # Standard deviation that leaves little above the new sampling limit (Cardoso et al., MICCAI 2015).
    sigma = np.sqrt(np.maximum(0.0, new**2 - old**2) / (8.0 * np.log(2.0)))
    # Not the recursive filter: it needs four slices. In units of length, and as wide as the coarsest grid needs.
    smooth = SimpleITK.DiscreteGaussian(volume, (sigma**2).tolist(), maximumKernelWidth=128) if sigma.any() else volume
    return SimpleITK.Resample(
        smooth, size, SimpleITK.Transform(), SimpleITK.sitkLinear, volume.GetOrigin(), spacing_mm,
        volume.GetDirection(), float(SimpleITK.GetArrayViewFromImage(volume).min()), SimpleITK.sitkFloat32,
    )  # fmt: skip
