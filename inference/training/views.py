"""The check that an image is a whole frontal chest film as it hangs, learned from films spoiled on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from inference.atlas import ViewCheck
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe

Floats = NDArray[np.float32]

# Of the log loss, beside the penalty: embeddings are correlated, and a slight penalty is enough.
STRENGTH = 100.0
# Each of how many films is spoiled in every way, and how many ways there are.
EACH = 3
WAYS = 5


def spoiled(pool: FilmPool, recipe: Recipe) -> Iterator[Floats]:
    """Yield films that are none: two negatives, one on its side or head, one mirrored at the horizontal, a part.

    A negative comes twice, as it is and augmented: of all these it is most like a film.
    """
    random = np.random.default_rng(recipe.seed)
    augmentation = recipe.augmented()
    for index in range(0, len(pool.films), EACH):
        film = pool.film(index)
        changed = augmentation.changed(film, film, random)[0]
        yield np.float32(1.0) - film
        yield np.float32(1.0) - changed
        yield np.ascontiguousarray(np.rot90(changed, int(random.integers(1, 4))))
        yield np.ascontiguousarray(changed[::-1])
        yield part(changed, random)


def spoiled_films(pool: FilmPool) -> int:
    """Return how many films `spoiled` yields."""
    return WAYS * -(-len(pool.films) // EACH)


def part(film: Floats, random: np.random.Generator) -> Floats:
    """Return about half of a film: left, right, upper or lower."""
    rows, columns = (int(length * random.uniform(0.4, 0.6)) for length in film.shape)
    halves = (film[:, :columns], film[:, columns:], film[:rows], film[rows:])
    return np.ascontiguousarray(halves[random.integers(len(halves))])


def view_check(films: Floats, others: Floats) -> ViewCheck:
    """Return the check that tells embeddings of films from those of others, (number, numbers) each.

    Both kinds weigh alike, however many there are of each.
    """
    mean, spread = films.mean(axis=0), films.std(axis=0) + np.float32(1e-6)
    embeddings = (np.concatenate([films, others]) - mean) / spread
    truth = np.repeat([True, False], [len(films), len(others)])
    weights = np.where(truth, 1.0 / len(films), 1.0 / len(others)) / 2.0
    fitted = LogisticRegression(C=STRENGTH, max_iter=2000).fit(embeddings, truth, weights)
    direction = np.asarray(fitted.coef_[0] / spread, np.float32)
    return ViewCheck(direction, float(fitted.intercept_[0] - direction @ mean))
