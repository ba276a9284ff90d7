"""The training run: a function of the recipe, the films and the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference.errors import MissingDataError
from inference.film import display_pixels
from inference.films import FilmFolder, LabelledFilm
from inference.geometry import resized
from inference.preprocessing import Preprocessing
from inference.progress import Step
from inference.training.augmentation import Augmentation
from inference.training.network import FilmClassifier, imagenet_classifier
from inference.training.recipe import Recipe
from inference.types import Radiograph

Floats = NDArray[np.float32]

# Larger than any model's side, small enough to keep every film in memory.
KEPT_SIDE = 320


@dataclass(frozen=True)
class FilmPool:
    """Labelled films in memory.

    Attributes
    ----------
    pictures
        uint8, (rows, columns) each.
    """

    films: tuple[LabelledFilm, ...]
    pictures: tuple[NDArray[np.uint8], ...]

    @classmethod
    def load(cls, folder: FilmFolder, films: Sequence[LabelledFilm]) -> FilmPool:
        """Return films read from a folder, reduced to at most `KEPT_SIDE`."""
        return cls(tuple(films), tuple(kept_picture(radiograph) for radiograph in folder.radiographs(films)))

    def film(self, index: int) -> Floats:
        """Return a film as a float32 array in [0, 1]."""
        return self.pictures[index].astype(np.float32) / np.float32(255.0)


def kept_picture(radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return a film as uint8, reduced where it is larger than needed."""
    pixels = radiograph.pixels
    if max(pixels.shape) > KEPT_SIDE:
        pixels = resized(pixels, (KEPT_SIDE, KEPT_SIDE), cv2.INTER_AREA)
    return display_pixels(Radiograph(pixels))


def drawn(films: Sequence[LabelledFilm], recipe: Recipe, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the indices of one epoch's films: of each stratum the share that the recipe says, shuffled.

    Raises
    ------
    MissingDataError
        No film of a stratum that the recipe asks for.
    """
    total = sum(recipe.shares.values())
    epoch = []
    for stratum, share in recipe.shares.items():
        members = np.array([index for index, film in enumerate(films) if film.stratum.startswith(stratum)])
        if not members.size:
            raise MissingDataError(f"shares.{stratum}: no training film of this stratum")
        count = round(recipe.schedule.films_per_epoch * share / total)
        # Each member in turn before any comes again.
        rounds = [random.permutation(members) for _ in range(-(-count // members.size))]
        epoch.append(np.concatenate(rounds)[:count])
    return random.permutation(np.concatenate(epoch))


def batches(pool: FilmPool, recipe: Recipe, side: int, random: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield films and targets of one epoch, augmented, prepared as in serving."""
    augmentation = Augmentation(**recipe.augmentation.model_dump())
    preprocessing = replace(recipe.input.preprocessing(), side=side)
    order = drawn(pool.films, recipe, random)
    for start in range(0, len(order) - recipe.schedule.batch + 1, recipe.schedule.batch):
        chosen = order[start : start + recipe.schedule.batch]
        changed = [augmentation.changed(pool.film(index), random) for index in chosen]
        tensors = [preprocessing.prepare(Radiograph(film)).tensor for film in changed]
        targets = np.array([[pool.films[index].target] for index in chosen], np.float32)
        yield torch.from_numpy(np.stack(tensors)), torch.from_numpy(targets)


@dataclass
class Run:
    """A training run in progress; `averaged` is what it is for."""

    recipe: Recipe
    classifier: FilmClassifier
    averaged: AveragedModel
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.OneCycleLR

    @classmethod
    def start(cls, recipe: Recipe) -> Run:
        """Return a run before its first step."""
        schedule = recipe.schedule
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(schedule.threads)
        classifier = imagenet_classifier(len(recipe.card.findings)).to(memory_format=torch.channels_last)
        averaging = get_ema_multi_avg_fn(schedule.averaging)  # type: ignore[no-untyped-call]
        averaged = AveragedModel(classifier, multi_avg_fn=averaging, use_buffers=True)
        optimizer = torch.optim.AdamW(
            classifier.parameters(), lr=schedule.peak_rate, weight_decay=schedule.weight_decay
        )
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, schedule.peak_rate, total_steps=steps_of(recipe) + 1, pct_start=schedule.warm_up
        )
        return cls(recipe, classifier, averaged, optimizer, scheduler)

    def step(self, films: Tensor, targets: Tensor) -> float:
        """Learn from one batch and return its loss."""
        schedule = self.recipe.schedule
        smooth = targets * (1.0 - 2.0 * schedule.label_smoothing) + schedule.label_smoothing
        with torch.autocast("cpu", torch.bfloat16) if schedule.precision == "bfloat16" else nullcontext():
            logits, _ = self.classifier(films.to(memory_format=torch.channels_last))
        loss = binary_cross_entropy_with_logits(logits.float(), smooth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.scheduler.step()
        self.averaged.update_parameters(self.classifier)
        return float(loss.detach())


def steps_of(recipe: Recipe) -> int:
    """Return an upper bound of the number of batches."""
    epochs = sum(step.epochs for step in recipe.schedule.steps)
    return epochs * (recipe.schedule.films_per_epoch // recipe.schedule.batch + 1)


def trained(recipe: Recipe, pool: FilmPool, report: Callable[[Step, Run], None]) -> FilmClassifier:
    """Return the averaged classifier after all steps of the recipe.

    Parameters
    ----------
    report
        Called after every batch.
    """
    run = Run.start(recipe)
    random = np.random.default_rng(recipe.seed)
    run.classifier.train()
    done, total, epoch = 0, steps_of(recipe), 0
    for stage in recipe.schedule.steps:
        for _ in range(stage.epochs):
            epoch += 1
            for films, targets in batches(pool, recipe, stage.side, random):
                loss = run.step(films, targets)
                done += 1
                report(Step(epoch, done, total, loss), run)
    return averaged_classifier(run)


def averaged_classifier(run: Run) -> FilmClassifier:
    """Return the moving average of the weights as a classifier in evaluation mode."""
    classifier = run.averaged.module
    assert isinstance(classifier, FilmClassifier)  # noqa: S101 - narrows the type
    return classifier.eval()


def logits_of(classifier: FilmClassifier, pool: FilmPool, preprocessing: Preprocessing) -> Floats:
    """Return the logits of films without augmentation, (films, findings)."""
    with torch.inference_mode():
        rows = [
            classifier(torch.from_numpy(preprocessing.prepare(Radiograph(pool.film(index))).tensor[np.newaxis]))[
                0
            ].numpy()
            for index in range(len(pool.films))
        ]
    return np.concatenate(rows)
