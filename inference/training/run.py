"""From a recipe and a data folder to a model folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from inference.figures import Outcome
from inference.films import ADULTS, CHILDREN, FilmFolder
from inference.models.folder import sha256_of
from inference.models.model import sigmoid
from inference.progress import Step
from inference.training.calibration import best_temperature, best_threshold
from inference.training.export import export
from inference.training.loop import FilmPool, Run, averaged_classifier, logits_of, trained
from inference.training.network import FilmClassifier
from inference.training.recipe import Recipe, read_recipe
from inference.training.written_card import card_text

WEIGHTS = "model.onnx"


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

            def report(progress: Step, run: Run) -> None:
                self.tell(progress)
                if progress.step % 20 == 0:
                    print(
                        json.dumps({**vars(progress), "rate": run.scheduler.get_last_lr()[0]}),
                        file=log,
                        flush=True,
                    )
                if progress.step % 100 == 0:
                    save_file(averaged_classifier(run).state_dict(), self.out / "checkpoint.safetensors")

            classifier = trained(recipe, training, report)
        self._write(recipe, classifier, validation)

    def _pool(self, folder: FilmFolder, recipe: Recipe, split: str) -> FilmPool:
        films = [film for film in folder.films(recipe.seed) if film.split == split]
        if self.most_films is not None and len(films) > self.most_films:
            kept = np.random.default_rng(recipe.seed).permutation(len(films))[: self.most_films]
            films = [films[index] for index in sorted(kept)]
        return FilmPool.load(folder, films)

    def _write(self, recipe: Recipe, classifier: FilmClassifier, validation: FilmPool) -> None:
        export(classifier, recipe.input.side, self.out / WEIGHTS)
        temperature, threshold = operating_point(recipe, classifier, validation)
        digest = sha256_of(self.out / WEIGHTS)
        text = card_text(recipe, WEIGHTS, digest, temperature=temperature, threshold=threshold)
        (self.out / "card.toml").write_text(text, encoding="utf-8")
        shutil.copyfile(self.recipe_path, self.out / "recipe.toml")


def operating_point(recipe: Recipe, classifier: FilmClassifier, pool: FilmPool) -> tuple[float, float]:
    """Return temperature and threshold from the films of the validation split whose label is sure."""
    logits = logits_of(classifier, pool, recipe.input.preprocessing())[:, 0].astype(np.float64)
    chosen = [
        np.array([film.population == population and film.is_certain for film in pool.films])
        for population in (CHILDREN, ADULTS)
    ]
    truth = np.array([film.target >= 0.5 for film in pool.films])
    subjects = np.array([film.subject for film in pool.films])
    temperature = best_temperature([logits[each] for each in chosen], [truth[each] for each in chosen])
    scores = sigmoid((logits / temperature).astype(np.float32)).astype(np.float64)
    outcomes = [Outcome(scores[each], truth[each], subjects[each]) for each in chosen]
    normal = np.array([film.is_normal for film in pool.films])
    return temperature, best_threshold(outcomes, [scores[each & normal] for each in chosen if (each & normal).any()])
