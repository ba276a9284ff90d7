"""What is done with a trained network: calibration, operating point, atlas, golden film, model folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from inference.errors import FilmError, MissingDataError
from inference.figures import Outcome
from inference.film_folder import ADULTS, CHILDREN
from inference.models import Model
from inference.models.folder import load_model, sha256_of
from inference.scoring import sigmoid
from inference.serving.golden import Golden
from inference.training.calibration import Scaling, best_scaling, best_threshold
from inference.training.export import export
from inference.training.known_films import atlas_of
from inference.training.loop import logits_of
from inference.training.network import FilmClassifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe
from inference.training.written_card import Decided, card_text
from inference.types import Radiograph

WEIGHTS, ATLAS, GOLDEN, CARD = "model.onnx", "atlas.npz", "golden.npz", "card.toml"


def write_folder(
    recipe: Recipe,
    classifier: FilmClassifier,
    training: FilmPool,
    validation: FilmPool,
    out: Path,
    progress: Progress,
) -> None:
    """Write weights, atlas, golden film and card of a trained network."""
    export(classifier, recipe.input.side, out / WEIGHTS)
    decided = Decided(*operating_point(recipe, classifier, validation))
    atlas_of(recipe, classifier, training, validation, progress).save(out / ATLAS)
    write_card(recipe, decided, out, [ATLAS])
    record_golden(validation, out)
    write_card(recipe, decided, out, [ATLAS, GOLDEN])


def write_card(recipe: Recipe, decided: Decided, out: Path, beside: list[str]) -> None:
    """Write the card, with the digests of the files that lie beside it."""
    digests = {name: sha256_of(out / name) for name in (WEIGHTS, *beside)}
    (out / CARD).write_text(card_text(recipe, decided, digests), encoding="utf-8")


def record_golden(validation: FilmPool, out: Path) -> None:
    """Write the golden film: the first one of the validation split with the finding that the model reads.

    Raises
    ------
    MissingDataError
        It reads none of them.
    """
    model = load_model(out)
    films = [index for index, film in enumerate(validation.films) if film.target == 1.0]
    golden = next((each for index in films if (each := golden_of(model, validation.film(index)))), None)
    if golden is None:
        rule = "the golden film is one of them"
        raise MissingDataError(f"validation: the model reads none of its {len(films)} films with the finding; {rule}")
    golden.save(out / GOLDEN)


def golden_of(model: Model, film: NDArray[np.float32]) -> Golden | None:
    """Return a film with what a model says of it, None where the model refuses it."""
    try:
        return Golden.record(model, model.prepare(Radiograph(film)))
    except FilmError:
        return None


def certain_by_population(pool: FilmPool) -> dict[str, NDArray[np.bool_]]:
    """Return, for each population that is there, which films are its and have a sure label."""
    members = {
        population: np.array([film.population == population and film.is_certain for film in pool.films])
        for population in (CHILDREN, ADULTS)
    }
    return {population: chosen for population, chosen in members.items() if chosen.any()}


def operating_point(recipe: Recipe, classifier: FilmClassifier, pool: FilmPool) -> tuple[Scaling, float]:
    """Return scaling and threshold from the films of the validation split whose label is sure."""
    logits = logits_of(classifier, pool, recipe.input.preprocessing())[:, 0].astype(np.float64)
    chosen = list(certain_by_population(pool).values())
    truth = np.array([film.target >= 0.5 for film in pool.films])
    subjects = np.array([film.subject for film in pool.films])
    scaling = best_scaling([logits[each] for each in chosen], [truth[each] for each in chosen])
    scores = sigmoid(scaling.scaled(logits).astype(np.float32)).astype(np.float64)
    outcomes = [Outcome(scores[each], truth[each], subjects[each]) for each in chosen]
    normal = np.array([film.is_normal for film in pool.films])
    return scaling, best_threshold(outcomes, [scores[each & normal] for each in chosen if (each & normal).any()])
