"""The training run: a function of the recipe, the films and the seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference.errors import DivergedError
from inference.preprocessing import Preprocessing
from inference.training.network import FilmClassifier, Reading, new_classifier
from inference.training.pool import Batch, FilmPool, batches
from inference.training.recipe import Recipe
from inference.training.teaching import Teaching
from inference.types import Radiograph

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """One batch that was learned, of how many."""

    epoch: int
    step: int
    steps: int
    loss: float


@dataclass
class Run:
    """A training run in progress; `averaged` is what it is for."""

    recipe: Recipe
    classifier: FilmClassifier
    averaged: AveragedModel
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    teaching: Teaching | None = None

    @classmethod
    def start(cls, recipe: Recipe, teaching: Teaching | None = None) -> Run:
        """Return a run before its first step."""
        schedule = recipe.schedule
        torch.set_num_threads(schedule.threads)
        findings = len(recipe.card.findings)
        classifier = new_classifier(recipe.network.architecture, findings, recipe.drawn)
        if teaching:
            teaching.prepare(classifier)
        classifier = classifier.to(memory_format=torch.channels_last)
        averaging = get_ema_multi_avg_fn(schedule.averaging)  # type: ignore[no-untyped-call]
        averaged = AveragedModel(classifier, multi_avg_fn=averaging, use_buffers=True)
        optimizer = torch.optim.AdamW(
            classifier.parameters(), lr=schedule.peak_rate, weight_decay=schedule.weight_decay
        )
        return cls(recipe, classifier, averaged, optimizer, rates_of(recipe, optimizer), teaching)

    def step(self, batch: Batch) -> float:
        """Learn from one batch and return its loss."""
        schedule = self.recipe.schedule
        films = batch.films.to(memory_format=torch.channels_last)
        targets = smoothed(batch.targets, schedule.label_smoothing)
        with torch.autocast("cpu", torch.bfloat16) if schedule.precision == "bfloat16" else nullcontext():
            reading = self.classifier(films)
            targets = self.teaching.targets(films, targets) if self.teaching else targets
        loss = binary_cross_entropy_with_logits(reading.logits.float(), targets)
        if schedule.box_weight:
            loss = loss + schedule.box_weight * box_loss(reading.cams.float(), batch.boxed)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.scheduler.step()
        self.averaged.update_parameters(self.classifier)
        return float(loss.detach())


def rates_of(recipe: Recipe, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """Return how fast is learned at each step."""
    schedule = recipe.schedule
    if schedule.rates == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.peak_rate, total_steps=steps_of(recipe) + 1, pct_start=schedule.warm_up
    )


def smoothed(targets: Tensor, smoothing: float) -> Tensor:
    """Return targets that are never quite sure."""
    return targets * (1.0 - 2.0 * smoothing) + smoothing


def box_loss(cams: Tensor, boxed: Tensor) -> Tensor:
    """Return how little of the map's weight lies in radiologists' boxes, the mean of the films that have any.

    The map of the first finding as a distribution over cells; its mass inside the boxes is to be all of it.
    """
    inside = adaptive_avg_pool2d(boxed[:, None], (cams.shape[2], cams.shape[3])).flatten(1)
    chosen = inside.amax(dim=1) > 0.5
    if not chosen.any():
        return cams.new_zeros(())
    mass = (cams[:, 0].flatten(1).softmax(dim=1) * inside).sum(dim=1)
    return -torch.log(mass[chosen] + 1e-6).mean()


def steps_of(recipe: Recipe) -> int:
    """Return an upper bound of the number of batches."""
    epochs = sum(step.epochs for step in recipe.schedule.steps)
    return epochs * (recipe.schedule.films_per_epoch // recipe.schedule.batch + 1)


def trained(
    recipe: Recipe,
    pool: FilmPool,
    report: Callable[[Step], None],
    epoch_done: Callable[[int, FilmClassifier], None],
    teaching: Teaching | None = None,
) -> FilmClassifier:
    """Return the averaged classifier after all steps of the recipe.

    Parameters
    ----------
    report
        Called after every batch.
    epoch_done
        Called after every epoch with its number and the averaged classifier.
    teaching
        What the recipe's teachers say; None if it has none.

    Raises
    ------
    DivergedError
        A loss is no number: what comes after it would be none either.
    """
    run = Run.start(recipe, teaching)
    random = np.random.default_rng(recipe.drawn)
    done, total, epoch = 0, steps_of(recipe), 0
    for stage in recipe.schedule.steps:
        run.classifier.freeze(stage.frozen)
        for _ in range(stage.epochs):
            epoch += 1
            run.classifier.train()
            for batch in batches(pool, recipe, stage.side, random):
                loss = run.step(batch)
                done += 1
                require_number(loss, f"epoch {epoch}, batch {done}", recipe)
                report(Step(epoch, done, total, loss))
            epoch_done(epoch, averaged_classifier(run))
    return averaged_classifier(run)


def require_number(loss: float, where: str, recipe: Recipe) -> None:
    """Raise DivergedError for a loss that is no finite number."""
    if not math.isfinite(loss):
        hint = f"lower schedule.peak_rate, which is {recipe.schedule.peak_rate:g}"
        raise DivergedError(f"{where}: the loss is {loss}; nothing is learned from there on, {hint}")


def averaged_classifier(run: Run) -> FilmClassifier:
    """Return the moving average of the weights as a classifier in evaluation mode."""
    classifier = run.averaged.module
    assert isinstance(classifier, FilmClassifier)  # noqa: S101 - narrows the type
    return classifier.eval()


def logits_of(classifier: FilmClassifier, pool: FilmPool, preprocessing: Preprocessing) -> Floats:
    """Return the logits of films without augmentation, (films, findings)."""
    films = (pool.film(index) for index in range(len(pool.films)))
    return np.concatenate([reading.logits.numpy() for reading in readings_of(classifier, films, preprocessing)])


def readings_of(classifier: FilmClassifier, films: Iterable[Floats], preprocessing: Preprocessing) -> Iterator[Reading]:
    """Yield what a classifier says of each film in [0, 1], one at a time: on a CPU a batch gains nothing."""
    for film in films:
        tensor = torch.from_numpy(preprocessing.prepare(Radiograph(film)).tensor[np.newaxis])
        with torch.inference_mode():
            reading: Reading = classifier(tensor)
        yield reading
