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
MOST_FLAGGED = 0.1
THRESHOLDS: NDArray[np.float64] = np.linspace(0.02, 0.98, 193)


def best_temperature(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> float:
    """Return the temperature of the lowest log loss, each population counted alike."""
    losses = [mean_loss(logits, truths, float(temperature)) for temperature in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 3)


def mean_loss(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]], temperature: float) -> float:
    """Return the log loss at a temperature, the mean of the populations' means."""
    signed = [np.where(truth, each, -each) / temperature for each, truth in zip(logits, truths, strict=True)]
    return float(np.mean([np.logaddexp(0.0, -each).mean() for each in signed]))


def best_threshold(outcomes: Sequence[Outcome], normal: Sequence[Floats]) -> float:
    """Return the threshold of the highest Youden index, the mean of the populations', that spares normal films.

    Where several are equally good, the middle one: it is the farthest from where errors begin.

    Parameters
    ----------
    normal
        Scores of the films of each population that radiologists call normal; of each, at most `MOST_FLAGGED`
        may reach the threshold. The index alone would follow the few positive adults.
    """
    allowed = [threshold for threshold in THRESHOLDS if is_sparing(normal, float(threshold))]
    indices = [np.mean([youden(outcome, float(threshold)) for outcome in outcomes]) for threshold in allowed]
    best = np.flatnonzero(np.isclose(indices, np.max(indices)))
    return round(float(allowed[best[len(best) // 2]]), 3)


def is_sparing(normal: Sequence[Floats], threshold: float) -> bool:
    """True if few enough normal films of every population reach a threshold; the highest one always may be taken."""
    flagged = max((float((scores >= threshold).mean()) for scores in normal), default=0.0)
    return flagged <= MOST_FLAGGED or threshold == THRESHOLDS[-1]


def youden(outcome: Outcome, threshold: float) -> float:
    """Return sensitivity plus specificity less one."""
    called = outcome.scores >= threshold
    return float(called[outcome.truth].mean() + (~called[~outcome.truth]).mean() - 1.0)
