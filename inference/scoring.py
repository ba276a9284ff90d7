"""From the outputs of a network to calibrated scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scoring:
    """Calibration of each finding: its logit is divided by a temperature and shifted, then squashed.

    Attributes
    ----------
    temperatures, shifts
        One of each finding, in the order of the card.
    """

    temperatures: tuple[float, ...]
    shifts: tuple[float, ...]

    def scores(self, logits: Floats) -> Floats:
        """Return scores in [0, 1], float32 (films, findings)."""
        scaled = np.divide(logits, self.temperatures, dtype=np.float32)
        return sigmoid(np.add(scaled, self.shifts, dtype=np.float32))


def sigmoid(logits: Floats) -> Floats:
    """Return logits as scores in [0, 1]."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0))), np.float32)
