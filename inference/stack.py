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
# How long a side of a volume of a person may be; what says otherwise has another unit, or none.
LEAST_MM, MOST_MM = 1.0, 3000.0
# Values of the elements that say where a slice lies (PS3.3 C.7.6.2.1.1 and 10.7.1.3).
NUMBERS = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}


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
            They are not parallel, differ in size, are shifted against each other, are not evenly spaced, or are of
            no size that a person has (`geometry`).
        """
        require_geometry(slices)
        rows, columns, normal = axes_of(slices[0])
        order = sorted(range(len(slices)), key=lambda number: float(position_of(slices[number]) @ normal))
        ordered = [slices[number] for number in order]
        require_parallel(ordered)
        first = ordered[0]
        size, pixel_spacing = (int(first.Rows), int(first.Columns)), pixel_spacing_of(first)
        require_plausible_side("PixelSpacing × Rows", pixel_spacing[0], size[0])
        require_plausible_side("PixelSpacing × Columns", pixel_spacing[1], size[1])
        spacing = even_spacing(ordered, normal)
        require_plausible_side("gap of ImagePositionPatient × slices", spacing, len(ordered))
        require_upright(ordered, normal, min(pixel_spacing))
        positions = tuple((float(x), float(y), float(z)) for x, y, z in map(position_of, ordered))
        return cls(
            tuple(order), positions, tuple(rows), tuple(columns), tuple(normal),
            size, pixel_spacing, spacing,
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


def pixel_spacing_of(dataset: Dataset) -> tuple[float, float]:
    """Return the distance of rows and the distance of columns, mm."""
    return float(dataset.PixelSpacing[0]), float(dataset.PixelSpacing[1])


def require_geometry(slices: Sequence[Dataset]) -> None:
    """Raise unless there are two slices or more, of one frame each and with its place in the patient."""
    frames = next((number for each in slices if (number := int(each.get("NumberOfFrames") or 1)) != 1), None)
    if frames is not None:
        raise UnsuitableFilmError("frames", f"NumberOfFrames: {frames}; a volume is made of slices of one frame each")
    if len(slices) < 2:
        raise UnsuitableFilmError("geometry", f"series: {len(slices)} slice; a volume needs two")
    for keyword, count in NUMBERS.items():
        require_numbers(slices, keyword, count)
    for each in slices:
        row_mm, column_mm = pixel_spacing_of(each)
        if min(row_mm, column_mm) <= 0.0:
            reason = f"PixelSpacing: {row_mm:g} and {column_mm:g} mm; both are above zero (PS3.3 10.7.1.3)"
            raise UnsuitableFilmError("geometry", reason)


def require_numbers(slices: Sequence[Dataset], keyword: str, count: int) -> None:
    """Raise unless each slice has so many finite numbers in an element; what else it holds is not named."""
    absent = sum(not each.get(keyword) for each in slices)
    if absent:
        raise UnsuitableFilmError("geometry", f"{keyword}: absent in {absent} of {len(slices)} slices")
    faulty = sum(not are_numbers(each.get(keyword), count) for each in slices)
    if faulty:
        reason = f"{keyword}: not {count} finite numbers in {faulty} of {len(slices)} slices"
        raise UnsuitableFilmError("geometry", reason)


def are_numbers(value: object, count: int) -> bool:
    """True if an element has so many values, each a finite number."""
    try:
        numbers = np.asarray(value, float)
    except ValueError:
        return False
    return numbers.shape == (count,) and bool(np.isfinite(numbers).all())


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


def require_plausible_side(side: str, spacing_mm: float, count: int) -> None:
    """Raise for a volume that no person fills: on the grid of a model it would be one voxel, or take all memory."""
    if not LEAST_MM <= spacing_mm * count <= MOST_MM:
        reason = f"{side}: {spacing_mm:g} mm × {count}; a volume of a person has {LEAST_MM:g} to {MOST_MM:g} mm"
        raise UnsuitableFilmError("geometry", reason)
