"""From a film to the tensor of a model: the same code in training and in serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.enhancement import ENHANCEMENTS
from inference.errors import UnsuitableFilmError
from inference.geometry import Box, Geometry
from inference.orientation import orientation_of
from inference.types import Radiograph

Floats = NDArray[np.float32]
PerChannel = float | tuple[float, ...]

LEAST_CONTRAST = 1.0 / 64.0


@dataclass(frozen=True)
class PreparedFilm:
    """A film on the grid of a model: small, and able to travel between processes.

    Attributes
    ----------
    tensor
        float32, (channels, rows, columns), normalised.
    geometry
        The way back to the source grid.
    """

    tensor: Floats
    geometry: Geometry
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its films; part of the model, and written in its card.

    Attributes
    ----------
    side
        Rows and columns of the model's grid.
    mean, deviation
        Subtracted from pixels in [0, 1], then divided by; of each channel, or of all.
    percentiles
        Gray levels of the film that become 0.0 and 1.0. Windows differ between hospitals and between the
        classes of public data; a film stretched to its own range shows neither. None: as displayed.
    enhancement
        Key of `inference.enhancement.ENHANCEMENTS`.
    channels
        Number of times that the film stands in the tensor.
    cropped
        Part of the film that is cut off at each of its four sides before it is fitted. Collimation, markers and what
        a maker does at the border tell hospitals and classes of public data apart, and no disease.
    """

    side: int
    mean: PerChannel
    deviation: PerChannel
    percentiles: tuple[float, float] | None = None
    enhancement: str = "none"
    channels: int = 1
    cropped: float = 0.0

    def prepare(self, radiograph: Radiograph) -> PreparedFilm:
        """Return a film on the grid of the model, upright.

        Raises
        ------
        UnsuitableFilmError
            The film has no contrast, or fewer pixels than make a film (`pixels`); its header does not say how a
            frontal film lies (`orientation`).
        """
        rows, columns = radiograph.pixels.shape
        orientation = orientation_of(radiograph.attributes)
        seen = inner_box(shown_box(radiograph) or Box(0, 0, rows, columns), self.cropped)
        geometry = Geometry.fit((rows, columns), self.side, seen, orientation)
        tensor = self.normalised(radiograph.pixels, geometry)
        return PreparedFilm(tensor, geometry, dict(radiograph.attributes))

    def normalised(self, film: Floats, geometry: Geometry) -> Floats:
        """Return pixels in [0, 1] as the tensor of the model, (channels, rows, columns)."""
        placed = geometry.to_model(film)
        content = placed[geometry.content.window]
        require_contrast(content)
        if self.percentiles is not None:
            placed[geometry.content.window] = stretched(content, self.percentiles)
        placed = ENHANCEMENTS[self.enhancement](placed)
        return scaled_channels(placed, self.channels, self.mean, self.deviation)


def scaled_channels(levels: Floats, channels: int, mean: PerChannel, deviation: PerChannel) -> Floats:
    """Return levels of a film or volume as each channel of a tensor, less the mean and divided by the deviation."""
    ends = (-1,) + (1,) * levels.ndim
    repeated = np.broadcast_to(levels, (channels, *levels.shape))
    return (repeated - np.asarray(mean, np.float32).reshape(ends)) / np.asarray(deviation, np.float32).reshape(ends)


def stretched(film: Floats, percentiles: tuple[float, float]) -> Floats:
    """Return a film with two percentiles of its levels at 0.0 and 1.0, clipped there."""
    low, high = levels_at(film, percentiles)
    if high - low < LEAST_CONTRAST:  # a few bright pixels on an even ground: their range is all there is
        low, high = film.min(), film.max()
    return np.asarray(np.clip((film - low) / (high - low), 0.0, 1.0), np.float32)


def levels_at(film: Floats, percentiles: tuple[float, float]) -> NDArray[np.float64]:
    """Return two percentiles of the levels of a film, between neighbours where they fall between.

    As `numpy.percentile` has them. To sort a small film is vectorised and takes a sixth of its time.
    """
    levels = np.sort(film, axis=None)
    return np.interp(np.multiply(percentiles, (levels.size - 1) / 100.0), np.arange(levels.size), levels)


def shown_box(radiograph: Radiograph) -> Box | None:
    """Return the rectangle around everything that is not padding, None for the whole film."""
    if radiograph.padding is None:
        return None
    rows = np.flatnonzero(~radiograph.padding.all(axis=1))
    columns = np.flatnonzero(~radiograph.padding.all(axis=0))
    if not rows.size or not columns.size:
        raise UnsuitableFilmError("pixels", "PixelPaddingValue: the whole image is padding")
    return Box(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


def inner_box(box: Box, part: float) -> Box:
    """Return what is left of a rectangle when a part of its rows and columns is cut off at each side."""
    rows, columns = round(box.rows * part), round(box.columns * part)
    left = Box(box.top + rows, box.left + columns, box.rows - 2 * rows, box.columns - 2 * columns)
    if min(left.rows, left.columns) < 1:
        reason = f"pixels: {box.rows} × {box.columns}; nothing is left without {part:g} of them at each side"
        raise UnsuitableFilmError("pixels", reason)
    return left


def require_contrast(pixels: Floats) -> None:
    """Raise for an image in which nothing can be seen."""
    if not np.isfinite(pixels).all():
        raise UnsuitableFilmError("pixels", "pixels: not every value is finite after the LUTs")
    contrast = float(pixels.max() - pixels.min())
    if contrast < LEAST_CONTRAST:
        raise UnsuitableFilmError("pixels", f"pixels: a contrast of {contrast:.4f} of the range; a film needs 1/64")
