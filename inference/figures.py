"""Figures of merit with 95 % intervals, resampled by subject.

References
----------
* Efron and Tibshirani, An Introduction to the Bootstrap, 1993: percentile intervals
* Naeini et al., AAAI 2015: expected calibration error
* Roelofs et al., AISTATS 2022: on few films that error is far from zero even where every score is right
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Measure = Callable[[Floats, Truth], float]

Figure = dict[str, float | None]
Samples = Sequence[NDArray[np.int64]]

RESAMPLES = 1000
CALIBRATION_BINS = 15
CHOSEN_SENSITIVITY = 0.80


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


def average_precision(scores: Floats, truth: Truth) -> float:
    """Return the area under the precision-recall curve, as steps: the mean precision at each positive film."""
    if not truth.any():
        return float("nan")
    _, recalls, precisions = precision_points(scores, truth)
    return float(np.sum(np.diff(recalls, prepend=0.0) * precisions))


def specificity_at(scores: Floats, truth: Truth, sensitivity: float) -> float:
    """Return the specificity at the strictest threshold that finds this share of the positive films."""
    positives, negatives = scores[truth], scores[~truth]
    if not positives.size or not negatives.size:
        return float("nan")
    missed = len(positives) - int(np.ceil(sensitivity * len(positives) - 1e-9))
    return float((negatives < np.partition(positives, missed)[missed]).mean())


def bins_of(scores: Floats) -> NDArray[np.int64]:
    """Return the bin of each score, equal bins from 0 to 1."""
    return np.minimum((scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def calibration_error(scores: Floats, truth: Truth) -> float:
    """Return the expected calibration error over equal bins."""
    gaps = np.bincount(bins_of(scores), scores - truth, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(scores))


def error_if_calibrated(scores: Floats, seed: int = 0) -> Figure:
    """Return the calibration error of a model whose scores are exactly right, on so few films.

    Labels are drawn from the scores; `value` is the mean of the draws, `low` and `high` hold 95 % of them.
    """
    if not scores.size:
        return rounded(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    errors = [calibration_error(scores, random.random(len(scores)) < scores) for _ in range(RESAMPLES)]
    return rounded(float(np.mean(errors)), *np.percentile(errors, (2.5, 97.5)))


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
        "average_precision": average_precision,
        "accuracy": lambda scores, truth: float(((scores >= threshold) == truth).mean()),
        "sensitivity": lambda scores, truth: ratio(float((scores[truth] >= threshold).sum()), int(truth.sum())),
        "specificity": lambda scores, truth: ratio(float((scores[~truth] < threshold).sum()), int((~truth).sum())),
        "macro_precision": lambda scores, truth: macro(scores, truth, threshold)[0],
        "macro_recall": lambda scores, truth: macro(scores, truth, threshold)[1],
        "macro_f": lambda scores, truth: macro(scores, truth, threshold)[2],
        "specificity_at_sensitivity_80": lambda scores, truth: specificity_at(scores, truth, CHOSEN_SENSITIVITY),
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
        "calibration_error_if_calibrated": error_if_calibrated(outcome.scores, seed),
    }


def figure(outcome: Outcome, measure: Measure, samples: Samples) -> Figure:
    """Return one figure and its 95 % interval; None where it is not defined."""
    if not len(outcome.truth):
        return rounded(np.nan, np.nan, np.nan)
    values = [measure(outcome.scores[sample], outcome.truth[sample]) for sample in samples]
    return with_interval(measure(outcome.scores, outcome.truth), values)


def difference(first: tuple[Outcome, Measure], second: tuple[Outcome, Measure], samples: Samples) -> Figure:
    """Return how much higher a figure is in the second outcome, paired: both are taken from the same samples.

    Raises
    ------
    ValueError
        The outcomes are not of the same films.
    """
    (one, measure_one), (two, measure_two) = first, second
    if not (np.array_equal(one.truth, two.truth) and np.array_equal(one.subjects, two.subjects)):
        raise ValueError("outcomes: truth or subjects differ; a paired difference needs the same films")
    if not len(one.truth):
        return rounded(np.nan, np.nan, np.nan)
    everything = np.arange(len(one.truth))
    value, *values = (
        measure_two(two.scores[sample], two.truth[sample]) - measure_one(one.scores[sample], one.truth[sample])
        for sample in (everything, *samples)
    )
    return with_interval(value, values)


def with_interval(value: float, resampled_values: Sequence[float]) -> Figure:
    """Return a value with the range that holds 95 % of its resampled values."""
    values = np.array(resampled_values)
    ends = np.nanpercentile(values, (2.5, 97.5)) if np.isfinite(values).any() else (np.nan, np.nan)
    return rounded(value, *ends)


def rounded(value: float, low: float, high: float) -> Figure:
    """Return a figure as it is written, None for what is not a number."""
    named = zip(("value", "low", "high"), (value, low, high), strict=True)
    return {name: round(float(each), 4) if np.isfinite(each) else None for name, each in named}


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
    thresholds, hits, misses = counts_called(scores, truth)
    return thresholds, hits / max(1, hits[-1]), misses / max(1, misses[-1])


def precision_points(scores: Floats, truth: Truth) -> tuple[Floats, Floats, Floats]:
    """Return thresholds, recalls and precisions, from the strictest threshold down."""
    thresholds, hits, misses = counts_called(scores, truth)
    return thresholds, hits / max(1, hits[-1]), hits / (hits + misses)


def counts_called(scores: Floats, truth: Truth) -> tuple[Floats, Floats, Floats]:
    """Return each threshold with the positive and the negative films at or above it; equal scores are one point."""
    order = np.argsort(-scores, kind="stable")
    hits, misses = np.cumsum(truth[order]), np.cumsum(~truth[order])
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    return scores[order][last], hits[last].astype(np.float64), misses[last].astype(np.float64)
