"""Changes of a film that do not change its finding; each takes a film and gives a film.

Aspect ratio, sharpness, brightness and collimation differ between the classes of the public data sets for
reasons that have nothing to do with disease. Each is therefore drawn without regard to the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Standard deviations of the blurs between which a band lies, on a film of some 300 pixels.
BANDS_PX = (1.0, 2.5, 6.0, 16.0)
# Pieces of a tone curve, and grays for which it is worked out.
PIECES = 6
CURVE_GRAYS = 1024


@dataclass(frozen=True)
class Augmentation:
    """How far a film may be changed.

    Attributes
    ----------
    aspect
        Lowest and highest ratio of columns to rows that a square film is stretched to.
    square_share
        Share of films that stay square, as the archives have them.
    rotation_deg, zoom, shift
        Largest rotation, change of size and shift, the last two as fractions.
    squeeze
        Largest logarithm of the factor by which what a film shows becomes wider or narrower for its height, its
        canvas unchanged. Archives of squares have squeezed each film by its own aspect ratio, which differs
        between the classes: how narrow a chest looks says how wide the film was.
    gamma
        Standard deviation of the logarithm of the gamma.
    window
        Largest part of the gray range that is cut off or added at either end.
    blur_px
        Largest standard deviation of a blur, which half of the films get.
    erased
        Share of films in which a rectangle is blackened.
    tones
        Standard deviation of the logarithm of the slope of each piece of a tone curve.
    bands
        Standard deviation of the logarithm of the gain of each band of detail, as makers' processing gives them.
    shading
        Largest part of the brightness that one edge of a film may lose against the other.
    """

    aspect: tuple[float, float] = (0.85, 1.75)
    square_share: float = 0.4
    rotation_deg: float = 10.0
    zoom: float = 0.15
    shift: float = 0.06
    squeeze: float = 0.0
    gamma: float = 0.25
    window: float = 0.12
    blur_px: float = 1.2
    erased: float = 0.25
    tones: float = 0.0
    bands: float = 0.0
    shading: float = 0.0

    def changed(self, film: Floats, boxed: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Return a changed film, and what is boxed on it moved along.

        Parameters
        ----------
        boxed
            float32, (rows, columns) of the film: 1.0 inside a radiologist's box.
        """
        placement, size = self._placement(film.shape, random)
        film, boxed = placed(film, placement, size), placed(boxed, placement, size)
        film = self._toned(film, random)
        if random.random() < 0.5:
            film = np.asarray(cv2.GaussianBlur(film, (0, 0), random.uniform(0.2, self.blur_px)), np.float32)
        film = self._processed(film, random)
        return self._erased(film, random) if random.random() < self.erased else film, boxed

    def _placement(self, shape: tuple[int, ...], random: np.random.Generator) -> tuple[Matrix, tuple[int, int]]:
        """Return how a film is stretched, rotated, zoomed, shifted and mirrored, and its new size.

        The canvas is never smaller than the film: to reduce without aliasing is for the preprocessing.
        """
        rows, columns = shape
        ratio = 1.0 if random.random() < self.square_share else np.exp(random.uniform(*np.log(self.aspect)))
        height, width = (rows, round(columns * ratio)) if ratio >= 1.0 else (round(rows / ratio), columns)
        stretch = np.diag([width / columns, height / rows, 1.0])
        if random.random() < 0.5:
            stretch = np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ stretch
        zoom = 1.0 + random.uniform(-self.zoom, self.zoom)
        angle = random.uniform(-self.rotation_deg, self.rotation_deg)
        turn = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom), [0.0, 0.0, 1.0]])
        turn[:2, 2] += random.uniform(-self.shift, self.shift, 2) * (width, height)
        if self.squeeze:
            stretch = stretch @ squeezed(shape, float(np.exp(random.uniform(-self.squeeze, self.squeeze))))
        return (turn @ stretch)[:2], (width, height)

    def _toned(self, film: Floats, random: np.random.Generator) -> Floats:
        """Return the film under another window and gamma."""
        low = random.uniform(-self.window, self.window)
        high = 1.0 + random.uniform(-self.window, self.window)
        toned = np.clip((film - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
        return np.asarray(toned ** np.float32(np.exp(random.normal(0.0, self.gamma))), np.float32)

    def _processed(self, film: Floats, random: np.random.Generator) -> Floats:
        """Return the film as another maker's processing would show it: tone curve, gains of detail, shading."""
        if self.bands:
            film = banded(film, np.exp(random.normal(0.0, self.bands, len(BANDS_PX))))
        if self.tones:
            film = curved(film, np.exp(random.normal(0.0, self.tones, PIECES)))
        if self.shading:
            film = shaded(film, random.uniform(0.0, 2.0 * np.pi), random.uniform(0.0, self.shading))
        return np.clip(film, np.float32(0.0), np.float32(1.0))

    def _erased(self, film: Floats, random: np.random.Generator) -> Floats:
        """Return the film with a rectangle of up to 30 % of its sides in black: no one spot may decide."""
        rows, columns = film.shape
        height, width = int(rows * random.uniform(0.05, 0.3)), int(columns * random.uniform(0.05, 0.3))
        top, left = int(random.integers(0, rows - height)), int(random.integers(0, columns - width))
        film = film.copy()
        film[top : top + height, left : left + width] = 0.0
        return film


def banded(film: Floats, gains: NDArray[np.float64]) -> Floats:
    """Return a film whose bands of detail, from fine to coarse, are each multiplied by a gain."""
    rest, changed = film, np.zeros_like(film)
    for sigma, gain in zip(BANDS_PX, gains, strict=True):
        coarse = np.asarray(cv2.GaussianBlur(rest, (0, 0), sigma), np.float32)
        changed += (rest - coarse) * np.float32(gain)
        rest = coarse
    return rest + changed


def curved(film: Floats, slopes: NDArray[np.float64]) -> Floats:
    """Return a film in [0, 1] under a rising curve of straight pieces, of the same range."""
    heights = np.concatenate([[0.0], np.cumsum(slopes)]) / np.sum(slopes)
    grays = np.linspace(0.0, 1.0, CURVE_GRAYS)
    curve = np.interp(grays, np.linspace(0.0, 1.0, len(heights)), heights).astype(np.float32)
    places = np.clip(film * np.float32(CURVE_GRAYS - 1), 0, CURVE_GRAYS - 1).astype(np.int32)
    return np.asarray(curve[places], np.float32)


def shaded(film: Floats, angle: float, depth: float) -> Floats:
    """Return a film whose brightness falls evenly by a part of itself in a direction, as toward a tube's heel."""
    rows, columns = (np.linspace(-0.5, 0.5, length, dtype=np.float32) for length in film.shape)
    slope = rows[:, np.newaxis] * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))
    return film * (np.float32(1.0) - np.float32(depth) * (np.float32(0.5) + slope))


def squeezed(shape: tuple[int, ...], factor: float) -> Matrix:
    """Return the matrix that makes what a film shows narrower for its height by a factor, about its centre."""
    rows, columns = shape
    across, down = factor**-0.5, factor**0.5
    return np.array(
        [[across, 0.0, columns / 2 * (1.0 - across)], [0.0, down, rows / 2 * (1.0 - down)], [0.0, 0.0, 1.0]]
    )


def placed(film: Floats, placement: Matrix, size: tuple[int, int]) -> Floats:
    """Return a film moved by an affine matrix, (2, 3), on a canvas of (columns, rows)."""
    return np.asarray(cv2.warpAffine(film, placement, size), np.float32)
