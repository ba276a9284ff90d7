"""From the outputs of a network to calibrated scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# A probability of 0 or 1 has no logit; this far from them no score shows it.
LEAST_PROBABILITY = 1e-7
# How far probabilities that a network gives may lie outside [0, 1], or their sum from 1: half precision.
PROBABILITY_TOLERANCE = 5e-3


@dataclass(frozen=True)
class Scoring:
    """Calibration of each finding: its logit is divided by a temperature and shifted, then squashed.

    Attributes
    ----------
    temperatures, shifts
        One of each finding, in the order of the card.
    indices
        Output that each finding reads; None: in the order of the card.
    operating_points
        Score of each finding that becomes 0.5, both sides stretched evenly; None: none does.
    is_multi_class
        Outputs exclude each other: softmax in place of sigmoid. Their temperatures are equal, their shifts 0.
    takes_probabilities
        The network squashes its outputs itself.
    """

    temperatures: tuple[float, ...]
    shifts: tuple[float, ...]
    indices: tuple[int, ...] | None = None
    operating_points: tuple[float | None, ...] | None = None
    is_multi_class: bool = False
    takes_probabilities: bool = False

    def scores(self, outputs: Floats) -> Floats:
        """Return scores in [0, 1], float32 (..., findings), of outputs (..., outputs)."""
        logits = self._logits(outputs)
        if self.is_multi_class:
            scores = self.of_findings(softmax(logits / np.float32(self.temperatures[0])))
        else:
            scaled = np.divide(self.of_findings(logits), self.temperatures, dtype=np.float32)
            scores = sigmoid(np.add(scaled, self.shifts, dtype=np.float32))
        return scores if self.operating_points is None else self._stretched(scores)

    def of_findings(self, outputs: Floats) -> Floats:
        """Return the outputs that findings read, on the last axis, in the order of the card."""
        return outputs if self.indices is None else outputs[..., list(self.indices)]

    def of_finding(self, order: int) -> Scoring:
        """Return the calibration of one finding alone, by its place in the card."""
        return replace(
            self,
            temperatures=(self.temperatures[order],),
            shifts=(self.shifts[order],),
            indices=(order if self.indices is None else self.indices[order],),
            operating_points=None if self.operating_points is None else (self.operating_points[order],),
        )

    def fault(self, outputs: Floats) -> str | None:
        """Return why outputs of one film, (outputs,), are not what the card promises, or None."""
        if not self.takes_probabilities:
            return None
        low, high = float(outputs.min()), float(outputs.max())
        if low < -PROBABILITY_TOLERANCE or high > 1.0 + PROBABILITY_TOLERANCE:
            return f"{low:.3f} to {high:.3f}; the card says probabilities, which lie in [0, 1]"
        total = float(outputs.sum())
        if self.is_multi_class and abs(total - 1.0) > PROBABILITY_TOLERANCE:
            return f"a sum of {total:.3f}; the card says probabilities of classes, whose sum is 1"
        return None

    def doubt(self, outputs: Floats) -> str | None:
        """Return why outputs of several films, (films, outputs), are hardly the logits that the card promises, or None.

        Softmax of what is a softmax already says nearly the same of every film. Of findings that do not exclude each
        other nobody can tell: a logit may lie in [0, 1].
        """
        if self.takes_probabilities or not self.is_multi_class:
            return None
        within = outputs.min() >= 0.0 and outputs.max() <= 1.0
        if not within or np.abs(outputs.sum(axis=-1) - 1.0).max() > PROBABILITY_TOLERANCE:
            return None
        return "logits; of each image the outputs lie in [0, 1] with a sum of 1, as probabilities do"

    def _logits(self, outputs: Floats) -> Floats:
        if not self.takes_probabilities:
            return outputs
        likely = np.clip(outputs.astype(np.float64), LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
        # The softmax of logarithms is the probabilities again.
        logits = np.log(likely) if self.is_multi_class else np.log(likely / (1.0 - likely))
        return np.asarray(logits, np.float32)

    def _stretched(self, scores: Floats) -> Floats:
        assert self.operating_points is not None  # noqa: S101 - narrows the type
        middle = np.array([0.5 if each is None else each for each in self.operating_points], np.float32)
        half = np.float32(0.5)
        return np.where(scores < middle, half * scores / middle, 1 - half * (1 - scores) / (1 - middle))


def sigmoid(logits: Floats) -> Floats:
    """Return logits as scores in [0, 1]."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0))), np.float32)


def softmax(logits: Floats) -> Floats:
    """Return logits, (..., classes), as probabilities whose sum is 1."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
