"""Whether the maximum of a map lies inside a radiologist's box.

References
----------
* Zhang et al., Top-Down Neural Attention by Excitation Backprop, ECCV 2016: the pointing game
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.reading import Floats, Reading, saliency_of
from inference.figures import Figure, Outcome, figure, resampled
from inference.models import Model

FractionBox = tuple[float, float, float, float]
Boxes = Mapping[str, Sequence[FractionBox]]


@dataclass(frozen=True)
class Pointing:
    """How often the maximum of the map lies inside a radiologist's box.

    Attributes
    ----------
    hits
        A film without any evidence for the finding has no maximum and is a miss.
    share
        Of the films that were read.
    interval
        Of the share, resampled by subject.
    chance
        Mean share of the film that the boxes cover.
    """

    films: int
    hits: int
    share: float
    chance: float
    interval: Figure


@dataclass(frozen=True)
class Pointed:
    """A film with boxes and where the map points.

    Attributes
    ----------
    peak
        Row and column, None where nothing speaks for the finding.
    covered
        Share of the film inside boxes.
    """

    reading: Reading
    saliency: Floats | None
    peak: tuple[int, int] | None
    is_hit: bool
    covered: float


def pointed(model: Model, readings: Sequence[Reading], boxes: Boxes) -> list[Pointed]:
    """Return where the maps of the answered films that have boxes point."""
    chosen = [each for each in readings if each.case.film.file in boxes and each.score is not None]
    return [pointed_at(model, reading, boxes[reading.case.film.file]) for reading in chosen]


def pointed_at(model: Model, reading: Reading, boxes: Sequence[FractionBox]) -> Pointed:
    """Return where the map of one film points."""
    assert reading.frame is not None  # noqa: S101 - an answered film was prepared
    inside = boxed(reading.frame.geometry.source, boxes)
    saliency = saliency_of(model, reading)
    if saliency is None:
        return Pointed(reading, None, None, False, float(inside.mean()))
    row, column = divmod(int(saliency.argmax()), saliency.shape[1])
    return Pointed(reading, saliency, (row, column), bool(inside[row, column]), float(inside.mean()))


def pointing_of(films: Sequence[Pointed]) -> Pointing | None:
    """Return the figures of the pointing game, None where no film has a map."""
    if all(film.saliency is None for film in films):
        return None
    hits = np.array([film.is_hit for film in films])
    subjects = np.array([film.reading.case.film.subject for film in films])
    interval = figure(
        Outcome(hits.astype(np.float64), hits, subjects), lambda scores, _: float(scores.mean()), resampled(subjects, 0)
    )
    chance = float(np.mean([film.covered for film in films]))
    return Pointing(len(films), int(hits.sum()), round(float(hits.mean()), 4), round(chance, 4), interval)


def boxed(shape: tuple[int, int], boxes: Sequence[FractionBox]) -> NDArray[np.bool_]:
    """Return where boxes lie on a film of (rows, columns)."""
    rows, columns = shape
    inside = np.zeros(shape, np.bool_)
    for x, y, width, height in boxes:
        inside[round(y * rows) : round((y + height) * rows), round(x * columns) : round((x + width) * columns)] = True
    return inside
