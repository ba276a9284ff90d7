"""The atlas of a trained network: the films that it knows, as squares, at their own aspect ratio and augmented.

What training does to a film, hospitals do too: other collimation, other tone, another distance. Such a film is
none that the model does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from sklearn.covariance import LedoitWolf

from inference.atlas import Atlas, unit
from inference.film_folder import ADULTS, CHILDREN, LabelledFilm
from inference.preprocessing import Preprocessing
from inference.training.loop import readings_of
from inference.training.network import FilmClassifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe
from inference.training.views import spoiled, spoiled_films, view_check

Floats = NDArray[np.float32]

# Of the validation films, as they are, at their aspect ratio and augmented, this share is near enough.
ACCEPTED = 0.999
MOST_CASES = 400
# As `variants` gives of each film.
VARIANTS = 3
DATA_SETS = {CHILDREN: "Kermany", ADULTS: "NIH ChestX-ray14"}


def atlas_of(
    recipe: Recipe, classifier: FilmClassifier, training: FilmPool, validation: FilmPool, progress: Progress
) -> Atlas:
    """Return the atlas of a classifier, fitted to training films; validation films say how far it reaches."""

    def embedded(films: Iterable[Floats], total: int, description: str) -> Floats:
        watched = progress.track(films, total=total, description=description)
        return embeddings_of(classifier, watched, recipe.input.preprocessing())

    known, unseen = (
        embedded(variants(recipe, pool), VARIANTS * len(pool.films), f"atlas: {name} films")
        for name, pool in (("training", training), ("validation", validation))
    )
    others = embedded(spoiled(training, recipe), spoiled_films(training), "atlas: spoiled films")
    mean, spread = known.mean(axis=0), known.std(axis=0) + np.float32(1e-6)
    fitted = LedoitWolf().fit((known - mean) / spread)
    values, directions = np.linalg.eigh(fitted.covariance_)
    whitening = np.asarray(directions / np.sqrt(values) / spread[:, np.newaxis], np.float32)
    lengths = np.linalg.norm((unseen - mean) @ whitening, axis=1)
    cases = reference_cases(training.films, recipe.seed)
    channels = classifier.head.in_channels
    return Atlas(
        embeddings=unit(known[: len(training.films)][cases][:, :channels]),
        labels=tuple(label_of(training.films[case]) for case in cases),
        sources=tuple(f"{DATA_SETS[training.films[case].population]} {training.films[case].file}" for case in cases),
        mean=np.asarray(mean, np.float32),
        whitening=whitening,
        limit=float(np.quantile(lengths, ACCEPTED)),
        view=view_check(known, others),
    )


def variants(recipe: Recipe, pool: FilmPool) -> Iterator[Floats]:
    """Yield all films as they are, then at their own aspect ratio, then augmented."""
    random, augmentation = np.random.default_rng(recipe.seed), recipe.augmented()
    yield from pool.unchanged(augmentation.aspect, random)
    yield from (augmentation.changed(film, film, random)[0] for film in pool.all())


def embeddings_of(classifier: FilmClassifier, films: Iterable[Floats], preprocessing: Preprocessing) -> Floats:
    """Return the embeddings of films in [0, 1], (films, numbers)."""
    return np.concatenate([reading.embedding.numpy() for reading in readings_of(classifier, films, preprocessing)])


def reference_cases(films: Sequence[LabelledFilm], seed: int) -> NDArray[np.int64]:
    """Return the indices of films to show beside a new one: label sure, of each kind at most `MOST_CASES`."""
    random = np.random.default_rng(seed)
    kinds = sorted({film.stratum for film in films if film.is_certain})
    members = [[index for index, film in enumerate(films) if film.stratum == kind] for kind in kinds]
    return np.sort(np.concatenate([random.permutation(each)[:MOST_CASES] for each in members]))


def label_of(film: LabelledFilm) -> str:
    """Return what those who read a film called it."""
    return film.stratum.removeprefix(f"{film.population}-").lower() + f" ({film.population})"
