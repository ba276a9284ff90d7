"""How the slices of a series lie in the patient, by their headers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.errors import UnsuitableFilmError

Floats = NDArray[np.float64]

# Share of the spacing by which a slice may lie off its place; beyond it a slice is missing or doubled.
POSITION_TOLERANCE = 0.05
DIRECTION_TOLERANCE = 1e-3
UNIT_TOLERANCE = 0.01
# Pixels by which the last slice may lie beside the first; more is a tilted gantry, whose stack is no box.
SHIFT_TOLERANCE = 1.0


@dataclass(frozen=True)
class Stack:
    """The places of parallel, evenly spaced slices; able to travel between processes.

    Attributes
    ----------
    order
        Number of each slice in the order in which they were given, from the first along the normal to the last.
    positions
        Centre of the first pixel of each, in this order, in patient coordinates, mm (PS3.3 C.7.6.2.1.1).
    rows, columns, normal
        Directions in which a row and a column run, and their cross product.
    size
        Rows and columns of a slice.
    pixel_spacing_mm
        Distance of rows, distance of columns.
    spacing_mm
        Distance of neighbouring slices.
    """

    order: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    normal: tuple[float, ...]
    size: tuple[int, int]
    pixel_spacing_mm: tuple[float, float]
    spacing_mm: float

    @classmethod
    def of(cls, slices: Sequence[Dataset]) -> Stack:
        """Return how slices lie, in whatever order they come.

        Raises
        ------
        UnsuitableFilmError
            They are not parallel, differ in size, are shifted against each other, or are not evenly spaced
            (`geometry`).
        """
        require_geometry(slices)
        rows, columns, normal = axes_of(slices[0])
        order = sorted(range(len(slices)), key=lambda number: float(position_of(slices[number]) @ normal))
        ordered = [slices[number] for number in order]
        require_parallel(ordered)
        spacing = even_spacing(ordered, normal)
        first = ordered[0]
        pixel_spacing = (float(first.PixelSpacing[0]), float(first.PixelSpacing[1]))
        require_upright(ordered, normal, min(pixel_spacing))
        positions = tuple((float(x), float(y), float(z)) for x, y, z in map(position_of, ordered))
        return cls(
            tuple(order), positions, tuple(rows), tuple(columns), tuple(normal),
            (int(first.Rows), int(first.Columns)), pixel_spacing, spacing,
        )  # fmt: skip

    @property
    def direction(self) -> tuple[float, ...]:
        """Directions of rows, columns and slices as SimpleITK has them."""
        return tuple(np.stack([self.rows, self.columns, self.normal], axis=1).ravel())

    @property
    def middle(self) -> int:
        """Number of the middle slice, from 0; of two the lower."""
        return (len(self.order) - 1) // 2

    def depth_mm(self, number: int) -> float:
        """Return the place of a slice along the normal, in patient coordinates."""
        return float(np.dot(self.positions[number], self.normal))

    def nearest(self, point: Sequence[float]) -> int:
        """Return the number of the slice that lies nearest to a point in patient coordinates."""
        places = np.array([self.depth_mm(number) for number in range(len(self.order))])
        return int(np.abs(places - np.dot(point, self.normal)).argmin())


def axes_of(dataset: Dataset) -> tuple[Floats, Floats, Floats]:
    """Return the directions of rows, of columns and of their normal in patient coordinates."""
    cosines = np.asarray(dataset.ImageOrientationPatient, float)
    return cosines[:3], cosines[3:], np.cross(cosines[:3], cosines[3:])


def position_of(dataset: Dataset) -> Floats:
    """Return the centre of the first pixel in patient coordinates, mm."""
    return np.asarray(dataset.ImagePositionPatient, float)


def require_geometry(slices: Sequence[Dataset]) -> None:
    """Raise unless there are two slices or more, of one frame each and with its place in the patient."""
    frames = next((number for each in slices if (number := str(each.get("NumberOfFrames") or 1)) != "1"), None)
    if frames is not None:
        raise UnsuitableFilmError("frames", f"NumberOfFrames: {frames}; a volume is made of slices of one frame each")
    if len(slices) < 2:
        raise UnsuitableFilmError("geometry", f"series: {len(slices)} slice; a volume needs two")
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"):
        absent = sum(not each.get(keyword) for each in slices)
        if absent:
            raise UnsuitableFilmError("geometry", f"{keyword}: absent in {absent} of {len(slices)} slices")


def require_parallel(slices: Sequence[Dataset]) -> None:
    """Raise unless all slices have one orientation, which is one, and one size and spacing."""
    for keyword in ("ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"):
        values = np.array([np.atleast_1d(np.asarray(each.get(keyword), float)) for each in slices])
        if not np.allclose(values, values[0], atol=DIRECTION_TOLERANCE):
            raise UnsuitableFilmError("geometry", f"{keyword}: differs within the series")
    rows, columns, _ = axes_of(slices[0])
    if not np.allclose([rows @ rows, columns @ columns, rows @ columns], [1.0, 1.0, 0.0], atol=UNIT_TOLERANCE):
        raise UnsuitableFilmError("geometry", "ImageOrientationPatient: no two directions at a right angle")


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


def require_upright(slices: Sequence[Dataset], normal: Floats, pixel_mm: float) -> None:
    """Raise for slices that lie beside each other: as a box they would put every voxel in a wrong place."""
    offsets = np.array([position_of(each) - position_of(slices[0]) for each in slices])
    shift = float(np.linalg.norm(offsets - np.outer(offsets @ normal, normal), axis=1).max())
    if shift > SHIFT_TOLERANCE * pixel_mm:
        raise UnsuitableFilmError(
            "geometry",
            f"ImagePositionPatient: slices lie up to {shift:.2f} mm beside the first, as under a tilted gantry; "
            f"at most one pixel ({pixel_mm:.2f} mm) is allowed",
        )
