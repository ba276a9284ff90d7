"""Maps of a volume, and the slice of its series on which one is seen best."""

# SimpleITK's stubs leave most methods without types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from inference.stack import Stack
from inference.volume_preprocessing import PreparedVolume

Floats = NDArray[np.float32]


def peak_slice(volume: PreparedVolume, cam: Floats) -> int:
    """Return the number of the slice on which a map has its maximum, from 0 along the normal of the stack.

    Parameters
    ----------
    cam
        float32, (slices, rows, columns), on the grid of the network.
    """
    map_ = volume.place.image(cam)
    at = np.unravel_index(int(cam.argmax()), cam.shape)
    return volume.stack.nearest(map_.TransformIndexToPhysicalPoint([int(index) for index in at[::-1]]))


def map_on_slice(volume: PreparedVolume, cam: Floats, number: int) -> Floats | None:
    """Return what speaks for a finding on one slice of the series, its peak there at 1.0; None where nothing does.

    float32, (rows, columns) of the slice. Between the cells of the map it is interpolated.
    """
    stack = volume.stack
    grid = SimpleITK.Image([*stack.size[::-1], 1], SimpleITK.sitkFloat32)
    row_spacing, column_spacing = stack.pixel_spacing_mm
    grid.SetSpacing((column_spacing, row_spacing, stack.spacing_mm))
    grid.SetOrigin(stack.positions[number])
    grid.SetDirection(stack.direction)
    placed = volume.place.image(np.maximum(cam, 0.0))
    shown = SimpleITK.Resample(placed, grid, SimpleITK.Transform(), SimpleITK.sitkLinear, 0.0)
    evidence = np.asarray(SimpleITK.GetArrayFromImage(shown)[0], np.float32)
    peak = float(evidence.max())
    return evidence / np.float32(peak) if peak > 0.0 else None


def side_of_first(stack: Stack) -> str:
    """Return the side of the patient at which the first slice lies, for people: ``feet``."""
    axis = int(np.argmax(np.abs(stack.normal)))
    sides = (("right", "left"), ("front", "back"), ("feet", "head"))[axis]
    return sides[0] if stack.normal[axis] > 0 else sides[1]
