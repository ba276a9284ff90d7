"""The atlas of a trained network: the films that it knows, as squares, at their own aspect ratio and augmented.

What training does to a film, hospitals do too: other collimation, other tone, another distance. Such a film is
none that the model does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from inference.atlas import Atlas, unit
from inference.films import ADULTS, CHILDREN, LabelledFilm
from inference.preprocessing import Preprocessing
from inference.training.loop import readings_of
from inference.training.network import FilmClassifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe
from inference.training.views import spoiled, view_check

Floats = NDArray[np.float32]

# Of the validation films, as they are, at their aspect ratio and augmented, this share is near enough.
ACCEPTED = 0.999
MOST_CASES = 400
DATA_SETS = {CHILDREN: "Kermany", ADULTS: "NIH ChestX-ray14"}


def atlas_of(recipe: Recipe, classifier: FilmClassifier, training: FilmPool, validation: FilmPool) -> Atlas:
    """Return the atlas of a classifier, fitted to training films; validation films say how far it reaches."""
    known, unseen = (np.concatenate(list(variants(recipe, classifier, pool))) for pool in (training, validation))
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
        view=view_check(known, embeddings_of(classifier, spoiled(training, recipe), recipe.input.preprocessing())),
    )


def variants(recipe: Recipe, classifier: FilmClassifier, pool: FilmPool) -> Iterator[Floats]:
    """Yield the embeddings of all films: as they are, at their own aspect ratio, and augmented."""
    random = np.random.default_rng(recipe.seed)
    augmentation, preprocessing = recipe.augmented(), recipe.input.preprocessing()
    yield embeddings_of(classifier, pool.all(), preprocessing)
    yield embeddings_of(classifier, pool.at_own_aspect(augmentation.aspect, random), preprocessing)
    changed = (augmentation.changed(film, film, random)[0] for film in pool.all())
    yield embeddings_of(classifier, changed, preprocessing)


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
