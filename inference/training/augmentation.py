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
    gamma
        Standard deviation of the logarithm of the gamma.
    window
        Largest part of the gray range that is cut off or added at either end.
    blur_px
        Largest standard deviation of a blur, which half of the films get.
    erased
        Share of films in which a rectangle is blackened.
    """

    aspect: tuple[float, float] = (0.85, 1.75)
    square_share: float = 0.4
    rotation_deg: float = 10.0
    zoom: float = 0.15
    shift: float = 0.06
    gamma: float = 0.25
    window: float = 0.12
    blur_px: float = 1.2
    erased: float = 0.25

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
        return (turn @ stretch)[:2], (width, height)

    def _toned(self, film: Floats, random: np.random.Generator) -> Floats:
        """Return the film under another window and gamma."""
        low = random.uniform(-self.window, self.window)
        high = 1.0 + random.uniform(-self.window, self.window)
        toned = np.clip((film - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
        return np.asarray(toned ** np.float32(np.exp(random.normal(0.0, self.gamma))), np.float32)

    def _erased(self, film: Floats, random: np.random.Generator) -> Floats:
        """Return the film with a rectangle of up to 30 % of its sides in black: no one spot may decide."""
        rows, columns = film.shape
        height, width = int(rows * random.uniform(0.05, 0.3)), int(columns * random.uniform(0.05, 0.3))
        top, left = int(random.integers(0, rows - height)), int(random.integers(0, columns - width))
        film = film.copy()
        film[top : top + height, left : left + width] = 0.0
        return film


def placed(film: Floats, placement: Matrix, size: tuple[int, int]) -> Floats:
    """Return a film moved by an affine matrix, (2, 3), on a canvas of (columns, rows)."""
    return np.asarray(cv2.warpAffine(film, placement, size), np.float32)
