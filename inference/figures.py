"""Figures of merit with 95 % intervals, resampled by subject.

References
----------
* Efron and Tibshirani, An Introduction to the Bootstrap, 1993: percentile intervals
* Naeini et al., AAAI 2015: expected calibration error
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Measure = Callable[[Floats, Truth], float]

RESAMPLES = 1000
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Outcome:
    """Scores of films whose truth is known.

    Attributes
    ----------
    subjects
        Whom each film shows; resampling draws subjects, not films.
    """

    scores: Floats
    truth: Truth
    subjects: NDArray[np.str_]

    def __post_init__(self) -> None:
        if not len(self.scores) == len(self.truth) == len(self.subjects):
            raise ValueError("outcome: scores, truth and subjects differ in length")


def auc(scores: Floats, truth: Truth) -> float:
    """Return the area under the ROC curve: the chance that a positive film scores above a negative one."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]  # ties share their mean rank
    return float((ranks[truth].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def calibration_error(scores: Floats, truth: Truth) -> float:
    """Return the expected calibration error over equal bins."""
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(scores[bins == each].sum() - truth[bins == each].sum()) for each in range(CALIBRATION_BINS)]
    return float(sum(gaps) / len(scores))


def confusion(scores: Floats, truth: Truth, threshold: float) -> tuple[int, int, int, int]:
    """Return the counts of true positive, false positive, false negative and true negative films."""
    called = scores >= threshold
    return (
        int((called & truth).sum()), int((called & ~truth).sum()),
        int((~called & truth).sum()), int((~called & ~truth).sum()),
    )  # fmt: skip


def ratio(part: float, whole: float) -> float:
    """Return a quotient, not a number where there is no whole."""
    return part / whole if whole else float("nan")


def macro(scores: Floats, truth: Truth, threshold: float) -> tuple[float, float, float]:
    """Return precision, recall and F, each the mean of both classes."""
    tp, fp, fn, tn = confusion(scores, truth, threshold)
    precision = [ratio(tp, tp + fp), ratio(tn, tn + fn)]
    recall = [ratio(tp, tp + fn), ratio(tn, tn + fp)]
    f = [ratio(2 * tp, 2 * tp + fp + fn), ratio(2 * tn, 2 * tn + fp + fn)]
    return float(np.mean(precision)), float(np.mean(recall)), float(np.mean(f))


def measures(threshold: float) -> Mapping[str, Measure]:
    """Return every figure of merit at an operating point by name."""
    return {
        "auc": auc,
        "accuracy": lambda scores, truth: float(((scores >= threshold) == truth).mean()),
        "sensitivity": lambda scores, truth: ratio(float((scores[truth] >= threshold).sum()), int(truth.sum())),
        "specificity": lambda scores, truth: ratio(float((scores[~truth] < threshold).sum()), int((~truth).sum())),
        "macro_precision": lambda scores, truth: macro(scores, truth, threshold)[0],
        "macro_recall": lambda scores, truth: macro(scores, truth, threshold)[1],
        "macro_f": lambda scores, truth: macro(scores, truth, threshold)[2],
        "calibration_error": calibration_error,
        "brier": lambda scores, truth: float(((scores - truth) ** 2).mean()),
    }


def summary(outcome: Outcome, threshold: float, seed: int = 0) -> dict[str, object]:
    """Return counts and figures with their intervals, as `evaluation.json` holds them."""
    tp, fp, fn, tn = confusion(outcome.scores, outcome.truth, threshold)
    samples = resampled(outcome.subjects, seed)
    return {
        "films": len(outcome.truth),
        "subjects": len(set(outcome.subjects.tolist())),
        "positive": int(outcome.truth.sum()),
        "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
        **{name: figure(outcome, measure, samples) for name, measure in measures(threshold).items()},
    }


def figure(outcome: Outcome, measure: Measure, samples: Sequence[NDArray[np.int64]]) -> dict[str, float | None]:
    """Return one figure and its 95 % interval; None where it is not defined."""
    values = np.array([measure(outcome.scores[sample], outcome.truth[sample]) for sample in samples])
    ends = np.nanpercentile(values, (2.5, 97.5)) if np.isfinite(values).any() else (np.nan, np.nan)
    named = zip(("value", "low", "high"), (measure(outcome.scores, outcome.truth), *ends), strict=True)
    return {name: round(float(value), 4) if np.isfinite(value) else None for name, value in named}


def resampled(subjects: NDArray[np.str_], seed: int) -> list[NDArray[np.int64]]:
    """Return bootstrap samples of film indices; all films of a drawn subject come together."""
    random = np.random.default_rng(seed)
    _, inverse = np.unique(subjects, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    draws = random.integers(0, len(members), (RESAMPLES, len(members)))
    return [np.concatenate([members[each] for each in draw]) for draw in draws]


def roc_points(scores: Floats, truth: Truth) -> tuple[Floats, Floats, Floats]:
    """Return thresholds, sensitivities and false positive rates, from the strictest threshold down."""
    order = np.argsort(-scores, kind="stable")
    hits, misses = np.cumsum(truth[order]), np.cumsum(~truth[order])
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]  # equal scores are one point
    return scores[order][last], hits[last] / max(1, hits[-1]), misses[last] / max(1, misses[-1])
