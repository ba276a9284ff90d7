"""What validation data decide: the scaling of the scores and the operating point.

References
----------
* Platt, Probabilistic Outputs for Support Vector Machines, 1999: scale and shift of logits
* Guo et al., On Calibration of Modern Neural Networks, ICML 2017: temperature
* Youden, Cancer 3(1), 1950: sensitivity plus specificity as the criterion
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from inference.figures import Floats, Outcome

MOST_FLAGGED = 0.1
HIGHEST_TEMPERATURE = 20.0
THRESHOLDS: NDArray[np.float64] = np.linspace(0.02, 0.98, 193)


class Scaling(NamedTuple):
    """How a logit becomes the logit of a calibrated score: divided by the temperature, then shifted."""

    temperature: float
    shift: float

    def scaled(self, logits: Floats) -> Floats:
        """Return scaled logits."""
        return logits / self.temperature + self.shift


def best_scaling(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> Scaling:
    """Return the scaling of the lowest log loss, each population counted alike."""
    weights = np.concatenate([np.full(len(truth), 1.0 / len(truth)) for truth in truths])
    fitted = LogisticRegression(C=np.inf, tol=1e-6).fit(
        np.concatenate(logits)[:, np.newaxis], np.concatenate(truths), weights * 1e3
    )
    # A logit that says nothing, or the contrary, is made to say next to nothing; it is never turned round.
    slope = max(float(fitted.coef_[0, 0]), 1.0 / HIGHEST_TEMPERATURE)
    return Scaling(round(1.0 / slope, 3), round(float(fitted.intercept_[0]), 3))


def mean_loss(logits: Sequence[Floats], truths: Sequence[NDArray[np.bool_]], scaling: Scaling) -> float:
    """Return the log loss under a scaling, the mean of the populations' means."""
    scaled = [scaling.scaled(each) for each in logits]
    signed = [np.where(truth, each, -each) for each, truth in zip(scaled, truths, strict=True)]
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
