"""Networks trained before, whose scores a new one learns beside the labels.

Radiologists saw few of the adults' films; one network's guess is noisy where labels are few, and the mean of
several is less so. The new network starts from the mean of their weights and learns the mean of their logits. Where
films are shown as no teacher has seen them, and would misread them, it learns what they say of each film as it is.

References
----------
* Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015
* Wortsman et al., Model soups, ICML 2022: the mean of the weights of networks with one start
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inference.errors import MissingDataError
from inference.models.folder import load_model
from inference.scoring import LEAST_PROBABILITY, sigmoid
from inference.training.network import FilmClassifier, new_classifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe
from inference.types import Radiograph

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Teaching:
    """What the teachers say, and how much of it counts.

    Attributes
    ----------
    teachers
        Networks of the recipe's architecture.
    weight
        Share of their scores in a target; the rest is the label's.
    begun
        Networks from the mean of whose weights it starts; some may be no teachers.
    folders
        Model folders of teachers that read each film once, as it is; none where they read each batch.
    """

    teachers: tuple[FilmClassifier, ...]
    weight: float
    begun: tuple[FilmClassifier, ...]
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, recipe: Recipe, checkpoints: Sequence[Path]) -> Teaching | None:
        """Return the teaching that a recipe asks for; None if it asks for none.

        Raises
        ------
        MissingDataError
            Another number of checkpoints than the recipe has teachers, or weights of another network.
        """
        asked = recipe.teaching
        if len(checkpoints) != (len(asked.named) if asked else 0):
            names = ", ".join(asked.named) if asked else "none"
            raise MissingDataError(f"--teacher: {len(checkpoints)} given; the recipe's teachers: {names}")
        if asked is None:
            return None
        networks = dict(zip(asked.named, (classifier_of(recipe, each) for each in checkpoints), strict=True))
        teachers, begun = (tuple(networks[name] for name in names) for names in (asked.recipes, asked.start))
        folders = tuple(each.parent for each in checkpoints[: len(teachers)]) if asked.reads == "still" else ()
        return cls(teachers, asked.weight, begun or teachers, folders)

    def prepare(self, pupil: FilmClassifier) -> None:
        """Give a network the weights to begin with."""
        states = [each.state_dict() for each in self.begun]
        pupil.load_state_dict({name: mean_of([state[name] for state in states]) for name in states[0]})

    def taught(self, pool: FilmPool, span: tuple[float, float], seed: int, progress: Progress) -> FilmPool:
        """Return films with the targets of teachers that read each once; the same films without such teachers.

        Parameters
        ----------
        span
            Aspect ratios that films of unknown ratio are read at, beside the square.
        """
        if not self.folders:
            return pool
        logits = [said_of(folder, pool, span, seed, progress) for folder in self.folders]
        said = sigmoid(np.mean(logits, axis=0))
        films = tuple(
            replace(film, target=self.weight * float(each) + (1.0 - self.weight) * film.target)
            for film, each in zip(pool.films, said, strict=True)
        )
        return replace(pool, films=films)

    @torch.no_grad()
    def targets(self, films: Tensor, labels: Tensor) -> Tensor:
        """Return the probabilities to learn, (films, findings).

        Parameters
        ----------
        films
            (films, 1, side, side).
        labels
            (films, findings): what the labels say.
        """
        if self.folders:  # the labels are theirs already
            return labels
        logits = torch.stack([teacher(films).logits for teacher in self.teachers]).mean(dim=0)
        return self.weight * logits.sigmoid() + (1.0 - self.weight) * labels


def said_of(folder: Path, pool: FilmPool, span: tuple[float, float], seed: int, progress: Progress) -> Floats:
    """Return the logits of the calibrated scores of a model for all films: the mean of two views of each, (films,)."""
    model = load_model(folder)

    def logit(film: Floats) -> float:
        outputs = model.network.run(model.prepare(Radiograph(film)).tensor[np.newaxis])
        score = np.clip(float(model.scoring.scores(outputs.logits)[0, 0]), LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
        return float(np.log(score / (1.0 - score)))

    views = pool.unchanged(span, np.random.default_rng(seed))
    watched = progress.track(views, total=2 * len(pool.films), description=f"what {folder.name} says of films")
    return np.asarray(np.mean(np.array([logit(film) for film in watched]).reshape(2, -1), axis=0), np.float32)


def mean_of(tensors: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors in their own type; counters have no mean, and all are as good."""
    first = tensors[0]
    return torch.stack(list(tensors)).mean(dim=0) if first.is_floating_point() else first


def classifier_of(recipe: Recipe, checkpoint: Path) -> FilmClassifier:
    """Return a trained network of a recipe, in evaluation mode.

    Raises
    ------
    MissingDataError
        The weights are not those of the recipe's network.
    """
    classifier = new_classifier(recipe.network.architecture, len(recipe.card.findings), recipe.seed)
    try:
        classifier.load_state_dict(load_file(checkpoint))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise MissingDataError(f"{checkpoint}: no weights of {recipe.network.architecture}") from error
    return classifier.eval().to(memory_format=torch.channels_last)
