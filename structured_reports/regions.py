"""Regions of a saliency map as closed polylines in image coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LEVEL = 0.5  # of the peak: the line that a reader sees

_MOST = 5  # more lines than a reader can follow say less, not more
_SMALLEST = 0.0005  # of the film: below it a region is a ripple of the map, unless it holds the peak
_TOLERANCE = 0.0005  # of the longer side: one pixel of a 2000 pixel film
_FEWEST_POINTS = 6  # a viewer takes five for a box that it may edit (OHIF)


@dataclass(frozen=True)
class Region:
    """A closed polyline.

    Attributes
    ----------
    points
        float64, (n, 2): column, row in image coordinates, first equal to last. The upper left corner of the
        upper left pixel is 0.0, 0.0, its center 0.5, 0.5 (PS3.3 C.18.6.1.2). At least seven points.
    grid
        Rows and columns of the image.
    """

    points: NDArray[np.float64]
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 2 or len(self.points) <= _FEWEST_POINTS:
            raise ValueError(f"points: shape {self.points.shape}; a region is (n, 2) with n above {_FEWEST_POINTS}")
        if not np.array_equal(self.points[0], self.points[-1]):
            raise ValueError("points: the last differs from the first; a region is closed")
        rows, columns = self.grid
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        # Not below, so that NaN is refused too
        if not ((low >= 0.0).all() and (high <= (columns, rows)).all()):
            raise ValueError(f"points: {low} to {high} leave an image of {columns} columns and {rows} rows")


def regions_of(saliency: NDArray[np.float32]) -> tuple[Region, ...]:
    """Return the regions at `LEVEL` of the peak and above; the one that holds the peak comes first."""
    rows, columns = saliency.shape
    return tuple(_region(outline, (rows, columns)) for outline in _shown(saliency))


def covered(saliency: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the pixels of the regions, (rows, columns): what their lines go around, their own pixels included."""
    mask = np.zeros(saliency.shape, np.uint8)
    cv2.drawContours(mask, _shown(saliency), -1, 1, cv2.FILLED)
    return mask.view(np.bool_)


def _shown(saliency: NDArray[np.float32]) -> list[NDArray[np.int32]]:
    """Return the outlines of the regions, the one around the peak first."""
    peak = float(saliency.max(initial=0.0))
    if peak <= 0.0:
        return []
    outlines = _outlines(saliency, peak)
    smallest = _SMALLEST * saliency.size
    kept = [outline for outline in outlines[1:] if cv2.contourArea(outline) >= smallest]
    return [outlines[0], *kept[: _MOST - 1]]


def _outlines(saliency: NDArray[np.float32], peak: float) -> list[NDArray[np.int32]]:
    """Return outlines through the centers of border pixels, the one around the peak first, then by size."""
    mask = (saliency >= LEVEL * peak).view(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = [np.asarray(outline, dtype=np.int32) for outline in found]
    row, column = np.unravel_index(int(np.argmax(saliency)), saliency.shape)
    at = (float(column), float(row))
    return sorted(outlines, key=lambda o: (cv2.pointPolygonTest(o, at, False) < 0, -cv2.contourArea(o)))


def _region(outline: NDArray[np.int32], grid: tuple[int, int]) -> Region:
    simple = cv2.approxPolyDP(outline, _TOLERANCE * max(grid), True)
    is_line = cv2.contourArea(simple) == 0  # one pixel or one line of pixels: then what it covers
    corners = _box(outline) if is_line else simple.reshape(-1, 2).astype(np.float64) + 0.5
    points = _with_enough_points(corners)
    return Region(np.vstack([points, points[:1]]), grid)


def _box(outline: NDArray[np.int32]) -> NDArray[np.float64]:
    left, top, width, height = cv2.boundingRect(outline)
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)


def _with_enough_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same line with the middle of every side added until it cannot be taken for a box."""
    while len(points) < _FEWEST_POINTS:
        middles = (points + np.roll(points, -1, axis=0)) / 2
        points = np.stack([points, middles], axis=1).reshape(-1, 2)
    return points
