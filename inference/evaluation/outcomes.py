"""From readings to scores with their truth, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from inference.errors import FilmError
from inference.evaluation.reading import Reading
from inference.figures import Outcome, roc_points

SPECIFICITIES = (0.80, 0.90, 0.95)


def answered(readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings that have a score."""
    return [reading for reading in readings if reading.score is not None]


def outcome_of(readings: Sequence[Reading]) -> Outcome:
    """Return scores and truth of the films that were answered."""
    given = answered(readings)
    return Outcome(
        np.array([reading.score for reading in given], np.float64),
        np.array([reading.truth for reading in given], np.bool_),
        np.array([reading.case.film.subject for reading in given], np.str_),
    )


def refusals(readings: Sequence[Reading]) -> dict[str, int]:
    """Return how many films were refused, by the code of the reason."""
    codes = (reading.answer.code for reading in readings if isinstance(reading.answer, FilmError))
    return dict(sorted(Counter(codes).items()))


def operating_points(outcome: Outcome) -> list[dict[str, float]]:
    """Return the sensitivity at chosen specificities, with the threshold that gives it; none without films."""
    if not len(outcome.truth):
        return []
    thresholds, sensitivities, false_rates = roc_points(outcome.scores, outcome.truth)
    points = []
    for specificity in SPECIFICITIES:
        index = int(np.flatnonzero(false_rates <= 1.0 - specificity + 1e-9)[-1:].sum())
        point = (specificity, float(sensitivities[index]), float(thresholds[index]))
        names = ("specificity", "sensitivity", "threshold")
        points.append(dict(zip(names, (round(each, 4) for each in point), strict=True)))
    return points
