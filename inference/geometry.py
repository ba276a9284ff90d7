"""Where a film lies on the grid of a model, and the way back.

A film keeps its aspect ratio: it is turned upright as its header says, reduced to fit and centred, the rest is
left black. On the way back it is turned as the source has it, so the patient's right stays where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.orientation import Orientation

Floats = NDArray[np.float32]

UPRIGHT = Orientation()


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels."""

    top: int
    left: int
    rows: int
    columns: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array."""
        return slice(self.top, self.top + self.rows), slice(self.left, self.left + self.columns)

    def inside(self, rows: int, columns: int) -> bool:
        """True if the rectangle has an area and lies within a grid."""
        return (
            min(self.top, self.left) >= 0
            and min(self.rows, self.columns) > 0
            and self.top + self.rows <= rows
            and self.left + self.columns <= columns
        )


@dataclass(frozen=True)
class Geometry:
    """What part of a film the model sees, and where.

    Attributes
    ----------
    source
        Rows and columns of the film.
    seen
        Part of the film that the model sees, on the source grid.
    side
        Rows and columns of the model's grid.
    content
        Where that part lies on the model's grid, upright.
    orientation
        How the film lies on the source grid.
    """

    source: tuple[int, int]
    seen: Box
    side: int
    content: Box
    orientation: Orientation = UPRIGHT

    def __post_init__(self) -> None:
        if not self.seen.inside(*self.source):
            raise ValueError(f"seen: {self.seen} is not inside a film of {self.source}")
        if not self.content.inside(self.side, self.side):
            raise ValueError(f"content: {self.content} is not inside a grid of side {self.side}")

    @classmethod
    def fit(
        cls,
        source: tuple[int, int],
        side: int,
        crop: Box | None = None,
        orientation: Orientation = UPRIGHT,
    ) -> Geometry:
        """Return the geometry that fits a film, or a part of it, into a square with its aspect ratio kept."""
        crop = crop or Box(0, 0, *source)
        scale = side / max(crop.rows, crop.columns)
        size = orientation.upright_size(crop.rows, crop.columns)
        rows, columns = (max(1, round(length * scale)) for length in size)
        content = Box((side - rows) // 2, (side - columns) // 2, rows, columns)
        return cls(source, trimmed(crop, content, orientation), side, content, orientation)

    @property
    def factor(self) -> int:
        """Whole factor by which the film is reduced first, 1 for none."""
        return whole_factor(self._seen_size, self.content)

    @property
    def _seen_size(self) -> tuple[int, int]:
        """Rows and columns of the seen part, upright."""
        return self.orientation.upright_size(self.seen.rows, self.seen.columns)

    def to_model(self, film: Floats) -> Floats:
        """Return a film on the model's grid, black outside its content."""
        placed = np.zeros((self.side, self.side), np.float32)
        placed[self.content.window] = self._resampled(self.orientation.upright(film[self.seen.window]))
        return placed

    def _resampled(self, film: Floats) -> Floats:
        """Return the seen part, upright, in the size of the content.

        The mean over whole blocks is exact and several times faster than a fractional one; what remains is a
        factor below two, which the mean over fractional blocks takes without aliasing.
        """
        content = (self.content.columns, self.content.rows)
        film = block_means(film, self.factor)
        is_reduced = film.shape[0] >= content[1] and film.shape[1] >= content[0]
        return resized(film, content, cv2.INTER_AREA if is_reduced else cv2.INTER_LINEAR)

    def to_source(self, cells: Floats) -> Floats:
        """Return a map of the model on the source grid, zero where the model saw nothing.

        Parameters
        ----------
        cells
            float32, (rows, columns) of any size: the cells tile the model's whole grid.
        """
        size = (self.side, self.side)
        # Cubic interpolation swings below the lowest cell; a map of evidence must not.
        smooth = np.maximum(resized(cells, size, cv2.INTER_CUBIC), cells.min())
        placed = np.zeros(self.source, np.float32)
        rows, columns = self._seen_size
        upright = resized(smooth[self.content.window], (columns, rows), cv2.INTER_LINEAR)
        placed[self.seen.window] = self.orientation.stored(upright)
        return placed


def block_means(film: Floats, factor: int) -> Floats:
    """Return the mean of each block of factor × factor pixels; both sides are multiples of it.

    Whole rows are added first: that is limited by the memory, and OpenCV takes nearly twice as long.
    """
    if factor == 1:
        return film
    film = np.asarray(film, np.float32)
    if not film.strides[0] > film.strides[1] > 0:
        # Turned: numpy would add in the order of the memory, and the sums would differ in the last bit.
        film = np.ascontiguousarray(film)
    rows, columns = film.shape[0] // factor, film.shape[1] // factor
    summed = film.reshape(rows, factor, -1).sum(axis=1)
    weights = np.full(factor, 1.0 / factor**2, np.float32)
    return np.asarray(summed.reshape(-1, factor) @ weights, np.float32).reshape(rows, columns)


def resized(film: Floats, size: tuple[int, int], kernel: int) -> Floats:
    """Return a film in a size of (columns, rows)."""
    return np.asarray(cv2.resize(np.asarray(film, np.float32), size, interpolation=kernel), np.float32)


def whole_factor(size: tuple[int, int], content: Box) -> int:
    """Return the largest whole factor of a reduction from a size of (rows, columns), 1 for none."""
    return max(1, min(size[0] // content.rows, size[1] // content.columns))


def trimmed(crop: Box, content: Box, orientation: Orientation) -> Box:
    """Return a crop whose rows and columns are multiples of the whole factor.

    Less than one pixel of the model is left out, shared by opposite edges; the map is zero there.
    """
    factor = whole_factor(orientation.upright_size(crop.rows, crop.columns), content)
    over_rows, over_columns = crop.rows % factor, crop.columns % factor
    # Of an odd number the greater part falls to the same edge of the patient, however the film lies.
    return Box(
        crop.top + (over_rows + orientation.columns_run_against) // 2,
        crop.left + (over_columns + orientation.rows_run_against) // 2,
        crop.rows - over_rows,
        crop.columns - over_columns,
    )
