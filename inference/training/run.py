"""From a recipe and a data folder to a model folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress, TaskID
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from inference.errors import MissingDataError, OutputError
from inference.figures import auc
from inference.film_folder import FilmFolder
from inference.recipe_table import RECIPE
from inference.training.calibration import Scaling, mean_loss
from inference.training.finish import CARD, certain_by_population, write_folder
from inference.training.loop import Step, logits_of, require_number, trained
from inference.training.network import FilmClassifier, Mirrored
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe, RefitSection, read_recipe
from inference.training.refit import refit
from inference.training.teaching import Teaching, classifier_of
from inference.whole_files import gathered, replaced

CHECKPOINT, LOG = "checkpoint.safetensors", "training.jsonl"


@dataclass
class Diary:
    """Tells of every batch, writes a line of every epoch, and keeps the weights that the recipe wants.

    Attributes
    ----------
    checkpoint
        Where weights are kept: of the last epoch, or of the one with the lowest loss on validation films.
    log
        Lines of the epochs; those of an earlier run stay until there is one of this, and so do its weights.
    lowest
        That loss, the mean of the populations.
    rows
        What the log says of this run.
    """

    recipe: Recipe
    validation: FilmPool
    checkpoint: Path
    log: Path
    progress: Progress
    task: TaskID | None = None
    lowest: float = math.inf
    rows: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    losses: list[float] = field(default_factory=list)

    def report(self, step: Step) -> None:
        """Tell of a batch."""
        if self.task is None:
            self.task = self.progress.add_task("", total=step.steps)
        told = f"epoch {step.epoch}, loss {step.loss:.3f}"
        self.progress.update(self.task, completed=step.step, description=told)
        self.losses.append(step.loss)

    def epoch_done(self, epoch: int, classifier: FilmClassifier) -> None:
        """Write a line and keep the weights; raises DivergedError where the loss of validation films is no number."""
        curve = validation_curve(classifier, self.validation, self.recipe)
        loss = float(np.mean([value for name, value in curve.items() if name.endswith("_loss")]))
        require_number(loss, f"epoch {epoch}, validation", self.recipe)
        learned = {"loss": float(np.mean(self.losses))} if self.losses else {}
        self._log({"epoch": epoch, **learned, **curve, "s": time.monotonic() - self.begun})
        self.losses.clear()
        if self.recipe.schedule.keep == "last" or loss < self.lowest:
            keep(classifier, self.checkpoint)
        self.lowest = min(self.lowest, loss)

    def _log(self, row: Mapping[str, float]) -> None:
        """Write the log with one more line; no weights of an earlier run stand beside lines of this."""
        if not self.rows:
            self.checkpoint.unlink(missing_ok=True)
        self.rows.append(json.dumps(row))
        with replaced(self.log) as part:
            part.write_text("".join(f"{each}\n" for each in self.rows), encoding="utf-8")


def keep(classifier: FilmClassifier, checkpoint: Path) -> None:
    """Write weights where whoever goes on from them finds them: whole ones, whenever the run ends.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    try:
        with replaced(checkpoint) as part:
            save_file({name: each.contiguous() for name, each in classifier.state_dict().items()}, part)
    except SafetensorError as error:
        raise OutputError(f"{checkpoint}: cannot be written ({error})") from error


@dataclass(frozen=True)
class Trainer:
    """Trains one recipe on one data folder and writes a model folder.

    Attributes
    ----------
    most_films
        Upper bound of the films read of each split, for a quick trial; None for all.
    teachers
        Weights of the networks that the recipe names as teachers, in its order.
    """

    recipe_path: Path
    data: Path
    out: Path
    progress: Progress
    most_films: int | None = None
    teachers: tuple[Path, ...] = ()

    def run(self) -> None:
        """Train, calibrate and write the model folder.

        Raises
        ------
        OutputError
            The folder holds a model, or cannot be written.
        """
        self._require_no_model()
        recipe, text = self._recipe()
        teaching = Teaching.of(recipe, self.teachers)
        training, validation = self._pools(recipe)
        self.out.mkdir(parents=True, exist_ok=True)
        diary = Diary(recipe, validation, self.out / CHECKPOINT, self.out / LOG, self.progress)
        taught = self._taught(recipe, training, teaching)
        classifier = trained(recipe, taught, diary.report, diary.epoch_done, teaching)
        if not recipe.schedule.steps:
            diary.epoch_done(0, classifier)
        if recipe.schedule.keep == "best":
            classifier.load_state_dict(load_file(self.out / CHECKPOINT))
        if recipe.refit:
            self._refit(recipe, recipe.refit, classifier, taught)
        self._write(recipe, text, classifier, (training, validation))

    def finish(self, checkpoint: Path) -> None:
        """Calibrate and write the model folder of weights that a run left after one of its epochs.

        Raises
        ------
        MissingDataError
            The weights are not those of the recipe's network.
        OutputError
            The folder holds a model, or what a run with other weights left, or cannot be written.
        """
        self._require_no_model()
        self._require_no_run_but_of(checkpoint)
        recipe, text = self._recipe()
        torch.set_num_threads(recipe.schedule.threads)
        classifier, pools = classifier_of(recipe, checkpoint), self._pools(recipe)
        if recipe.refit:
            taught = self._taught(recipe, pools[0], Teaching.of(recipe, self.teachers))
            self._refit(recipe, recipe.refit, classifier, taught)
        self._write(recipe, text, classifier, pools)

    def _require_no_model(self) -> None:
        """Raise OutputError for a folder with a model: half of it would be of another run whenever this one ends."""
        if (self.out / CARD).exists():
            rule = "a training leaves a model as it is, name another folder"
            raise OutputError(f"{self.out}: {CARD} is there; {rule}")

    def _require_no_run_but_of(self, checkpoint: Path) -> None:
        """Raise OutputError for a folder with log or weights of another run than the one that left a checkpoint."""
        if (self.out / CHECKPOINT).resolve() == checkpoint.resolve():
            return
        for name in (CHECKPOINT, LOG):
            if (self.out / name).exists():
                raise OutputError(f"{self.out}: {name} is there; it is of other weights, name another folder")

    def _recipe(self) -> tuple[Recipe, bytes]:
        """Return the recipe and its text, which may be edited while it is trained."""
        return read_recipe(self.recipe_path), self.recipe_path.read_bytes()

    def _taught(self, recipe: Recipe, training: FilmPool, teaching: Teaching | None) -> FilmPool:
        """Return training films with the targets of teachers that read each once; only who learns needs them."""
        if teaching is None or not (recipe.schedule.steps or recipe.refit):
            return training
        return teaching.taught(training, recipe.augmented().aspect, recipe.seed, self.progress)

    def _refit(self, recipe: Recipe, asked: RefitSection, classifier: FilmClassifier, taught: FilmPool) -> None:
        """Fit the head on to what the network will see in serving, and keep the weights that come of it."""
        features = classifier.features
        classifier.features = Mirrored(features) if recipe.network.mirrored else features
        refit(recipe, asked, classifier, taught, self.progress)
        classifier.features = features
        keep(classifier, self.out / CHECKPOINT)

    def _write(self, recipe: Recipe, text: bytes, classifier: FilmClassifier, pools: tuple[FilmPool, FilmPool]) -> None:
        if recipe.network.mirrored:
            classifier.features = Mirrored(classifier.features)
        with gathered(self.out, CARD) as part:
            write_folder(recipe, classifier, *pools, out=part, progress=self.progress)
            (part / RECIPE).write_bytes(text)

    def _pools(self, recipe: Recipe) -> tuple[FilmPool, FilmPool]:
        folder = FilmFolder(self.data)
        training, validation = (self._pool(folder, recipe, split) for split in ("train", "validation"))
        require_both_labels(validation)
        return training, validation

    def _pool(self, folder: FilmFolder, recipe: Recipe, split: str) -> FilmPool:
        films = [film for film in folder.films(recipe.seed, recipe.protocol.split) if film.split == split]
        if self.most_films is not None and len(films) > self.most_films:
            kept = np.random.default_rng(recipe.seed).permutation(len(films))[: self.most_films]
            films = [films[index] for index in sorted(kept)]
        return FilmPool.load(folder, films)


def require_both_labels(validation: FilmPool) -> None:
    """Raise MissingDataError for validation films without one of the labels: they decide on scaling and threshold."""
    sure = [film.target for film in validation.films if film.is_certain]
    if not 0.0 < sum(sure) < len(sure):
        count = f"{sum(sure):.0f} with the finding and {len(sure) - sum(sure):.0f} without"
        raise MissingDataError(f"validation: {count} among films with a sure label; a threshold needs both")


def validation_curve(classifier: FilmClassifier, pool: FilmPool, recipe: Recipe) -> dict[str, float]:
    """Return log loss and AUC of each population of the validation split, as far as the training has come."""
    logits = logits_of(classifier, pool, recipe.input.preprocessing())[:, 0].astype(np.float64)
    truth = np.array([film.target >= 0.5 for film in pool.films])
    curve = {}
    for population, chosen in certain_by_population(pool).items():
        curve[f"{population}_loss"] = mean_loss([logits[chosen]], [truth[chosen]], Scaling(1.0, 0.0))
        curve[f"{population}_auc"] = auc(logits[chosen], truth[chosen])
    return curve
