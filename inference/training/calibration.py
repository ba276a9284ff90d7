"""What validation data decide: the temperature of the scores and the operating point.

References
----------
* Guo et al., On Calibration of Modern Neural Networks, ICML 2017: temperature scaling
* Youden, Cancer 3(1), 1950: sensitivity plus specificity as the criterion
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.figures import Floats, Outcome

TEMPERATURES: NDArray[np.float64] = np.exp(np.linspace(np.log(0.2), np.log(5.0), 400))
THRESHOLDS: NDArray[np.float64] = np.linspace(0.02, 0.98, 193)


def best_temperature(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> float:
    """Return the temperature of the lowest log loss, each population counted alike."""
    losses = [mean_loss(logits, truths, float(temperature)) for temperature in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 3)


def mean_loss(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]], temperature: float) -> float:
    """Return the log loss at a temperature, the mean of the populations' means."""
    signed = [np.where(truth, each, -each) / temperature for each, truth in zip(logits, truths, strict=True)]
    return float(np.mean([np.logaddexp(0.0, -each).mean() for each in signed]))


def best_threshold(outcomes: Sequence[Outcome]) -> float:
    """Return the threshold of the highest Youden index, the mean of the populations'.

    Where several are equally good, the middle one: it is the farthest from where errors begin.
    """
    indices = [np.mean([youden(outcome, float(threshold)) for outcome in outcomes]) for threshold in THRESHOLDS]
    best = np.flatnonzero(np.isclose(indices, np.max(indices)))
    return round(float(THRESHOLDS[best[len(best) // 2]]), 3)


def youden(outcome: Outcome, threshold: float) -> float:
    """Return sensitivity plus specificity less one."""
    called = outcome.scores >= threshold
    return float(called[outcome.truth].mean() + (~called[~outcome.truth]).mean() - 1.0)
