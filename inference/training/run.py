"""From a recipe and a data folder to a model folder."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from inference.figures import Outcome, auc
from inference.films import ADULTS, CHILDREN, FilmFolder
from inference.models.folder import sha256_of
from inference.progress import Step
from inference.scoring import sigmoid
from inference.training.calibration import Scaling, best_scaling, best_threshold, mean_loss
from inference.training.export import export
from inference.training.loop import logits_of, trained
from inference.training.network import FilmClassifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe, read_recipe
from inference.training.written_card import card_text

WEIGHTS, CHECKPOINT = "model.onnx", "checkpoint.safetensors"


@dataclass(frozen=True)
class Trainer:
    """Trains one recipe on one data folder and writes a model folder.

    Attributes
    ----------
    most_films
        Upper bound of the films read of each split, for a quick trial; None for all.
    tell
        Called after every batch.
    """

    recipe_path: Path
    data: Path
    out: Path
    tell: Callable[[Step], None]
    most_films: int | None = None

    def run(self) -> None:
        """Train, calibrate and write weights, card and recipe."""
        recipe = read_recipe(self.recipe_path)
        folder = FilmFolder(self.data)
        training, validation = (self._pool(folder, recipe, split) for split in ("train", "validation"))
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "training.jsonl").open("w", encoding="utf-8") as log:
            begun = time.monotonic()
            losses: list[float] = []

            def report(progress: Step) -> None:
                self.tell(progress)
                losses.append(progress.loss)

            def epoch_done(epoch: int, classifier: FilmClassifier) -> None:
                curve = validation_curve(classifier, validation, recipe)
                row = {"epoch": epoch, "loss": float(np.mean(losses)), **curve, "s": time.monotonic() - begun}
                print(json.dumps(row), file=log, flush=True)
                losses.clear()
                weights = {name: each.contiguous() for name, each in classifier.state_dict().items()}
                save_file(weights, self.out / CHECKPOINT)

            classifier = trained(recipe, training, report, epoch_done)
        self._write(recipe, classifier, validation)

    def _pool(self, folder: FilmFolder, recipe: Recipe, split: str) -> FilmPool:
        films = [film for film in folder.films(recipe.seed, recipe.protocol.split) if film.split == split]
        if self.most_films is not None and len(films) > self.most_films:
            kept = np.random.default_rng(recipe.seed).permutation(len(films))[: self.most_films]
            films = [films[index] for index in sorted(kept)]
        return FilmPool.load(folder, films)

    def _write(self, recipe: Recipe, classifier: FilmClassifier, validation: FilmPool) -> None:
        export(classifier, recipe.input.side, self.out / WEIGHTS)
        scaling, threshold = operating_point(recipe, classifier, validation)
        digest = sha256_of(self.out / WEIGHTS)
        text = card_text(recipe, WEIGHTS, digest, scaling, threshold)
        (self.out / "card.toml").write_text(text, encoding="utf-8")
        shutil.copyfile(self.recipe_path, self.out / "recipe.toml")


def certain_by_population(pool: FilmPool) -> dict[str, NDArray[np.bool_]]:
    """Return, for each population that is there, which films are its and have a sure label."""
    members = {
        population: np.array([film.population == population and film.is_certain for film in pool.films])
        for population in (CHILDREN, ADULTS)
    }
    return {population: chosen for population, chosen in members.items() if chosen.any()}


def validation_curve(classifier: FilmClassifier, pool: FilmPool, recipe: Recipe) -> dict[str, float]:
    """Return log loss and AUC of each population of the validation split, as far as the training has come."""
    logits = logits_of(classifier, pool, recipe.input.preprocessing())[:, 0].astype(np.float64)
    truth = np.array([film.target >= 0.5 for film in pool.films])
    curve = {}
    for population, chosen in certain_by_population(pool).items():
        curve[f"{population}_loss"] = mean_loss([logits[chosen]], [truth[chosen]], Scaling(1.0, 0.0))
        curve[f"{population}_auc"] = auc(logits[chosen], truth[chosen])
    return curve


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
