"""How the classes lie in the embedding: what is near is alike to the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.outcomes import answered
from inference.evaluation.reading import Reading

Floats = NDArray[np.float64]

FEWEST = 2  # films of a class that have a variance


@dataclass(frozen=True)
class Scatter:
    """The classes of a population in the embedding.

    Attributes
    ----------
    distances
        Of each film from the mean of its class, in units of the distance between the means; negative films first.
    ratio
        Variance between the classes by variance within them.
    """

    population: str
    distances: tuple[Floats, Floats]
    ratio: float


def embedded(readings: Sequence[Reading]) -> list[Reading]:
    """Return the answered readings that have an embedding."""
    return [reading for reading in answered(readings) if reading.embedding is not None]


def vectors(readings: Sequence[Reading]) -> Floats:
    """Return embeddings, (films, channels)."""
    return np.stack([np.asarray(reading.embedding, np.float64) for reading in readings])


def scatters_of(named: Mapping[str, Sequence[Reading]]) -> list[Scatter]:
    """Return the scatter of each population that has embeddings and enough films of both classes."""
    found = []
    for population, readings in named.items():
        known = embedded(readings)
        truth = np.array([reading.truth for reading in known], np.bool_)
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            found.append(scatter(population, vectors(known), truth))
    return found


def scatter(population: str, points: Floats, truth: NDArray[np.bool_]) -> Scatter:
    """Return how two classes of points, (films, channels), lie to each other."""
    classes = [points[~truth], points[truth]]
    means = [members.mean(axis=0) for members in classes]
    apart = max(float(np.linalg.norm(means[1] - means[0])), 1e-12)
    lengths = [np.linalg.norm(members - mean, axis=1) for members, mean in zip(classes, means, strict=True)]
    centre = points.mean(axis=0)
    between = sum(len(each) * float(((mean - centre) ** 2).sum()) for each, mean in zip(classes, means, strict=True))
    within = float(sum((each**2).sum() for each in lengths))
    negative, positive = (each / apart for each in lengths)
    return Scatter(population, (negative, positive), round(between / max(within, 1e-12), 4))
