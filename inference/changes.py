"""Films shown in ways that change no finding: what a score follows there is no disease.

Archives hold squares that were squeezed by the aspect ratio of each film, which differs between the classes; a network
that learned it calls normal films of another ratio. Tone, size and noise differ between makers and hospitals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.geometry import resized
from inference.types import Radiograph

Floats = NDArray[np.float32]
Change = Callable[[Floats], Floats]

NOISE = 0.02
GAMMA = 1.5


def cut(rows: float, columns: float) -> Change:
    """Return a change that keeps a part of the rows and columns, from the middle, and shows it on the whole canvas."""

    def middle(film: Floats) -> Floats:
        kept = [round(length * part) for length, part in zip(film.shape, (rows, columns), strict=True)]
        top, left = ((length - each) // 2 for length, each in zip(film.shape, kept, strict=True))
        return resized(film[top : top + kept[0], left : left + kept[1]], film.shape[::-1], cv2.INTER_LINEAR)

    return middle


def noisy(film: Floats) -> Floats:
    """Return a film with noise of a standard deviation of `NOISE` of its range, the same noise each time."""
    noise = np.random.default_rng(0).normal(0.0, NOISE, film.shape)
    return np.clip(film + noise, 0.0, 1.0).astype(np.float32)


NARROWER, WIDER = "narrower by a sixth", "wider by a fifth"
CHANGES: Mapping[str, Change] = {
    NARROWER: cut(5 / 6, 1.0),
    WIDER: cut(1.0, 5 / 6),
    "larger by a seventh": cut(7 / 8, 7 / 8),
    "darker": lambda film: film ** np.float32(GAMMA),
    "lighter": lambda film: film ** np.float32(1.0 / GAMMA),
    "noise of 2 %": noisy,
}


def changed(radiograph: Radiograph, change: str) -> Radiograph:
    """Return a film of an archive under one of `CHANGES`."""
    return Radiograph(CHANGES[change](radiograph.pixels))
