"""Networks trained before, whose scores a new one learns beside the labels.

Radiologists saw few of the adults' films; one network's guess is noisy where labels are few, and the mean of
several is less so. The new network starts from the mean of their weights and learns the mean of their logits.

References
----------
* Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015
* Wortsman et al., Model soups, ICML 2022: the mean of the weights of networks with one start
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inference.errors import MissingDataError
from inference.training.network import FilmClassifier, new_classifier
from inference.training.recipe import Recipe


@dataclass(frozen=True)
class Teaching:
    """What the teachers say, and how much of it counts.

    Attributes
    ----------
    teachers
        Networks of the recipe's architecture.
    weight
        Share of their scores in a target; the rest is the label's.
    """

    teachers: tuple[FilmClassifier, ...]
    weight: float

    @classmethod
    def of(cls, recipe: Recipe, checkpoints: Sequence[Path]) -> Teaching | None:
        """Return the teaching that a recipe asks for; None if it asks for none.

        Raises
        ------
        MissingDataError
            Another number of checkpoints than the recipe has teachers, or weights of another network.
        """
        asked = recipe.teaching
        if len(checkpoints) != (len(asked.recipes) if asked else 0):
            names = ", ".join(asked.recipes) if asked else "none"
            raise MissingDataError(f"--teacher: {len(checkpoints)} given; the recipe's teachers: {names}")
        return cls(tuple(classifier_of(recipe, each) for each in checkpoints), asked.weight) if asked else None

    def prepare(self, pupil: FilmClassifier) -> None:
        """Give a network the mean of the teachers' weights."""
        states = [teacher.state_dict() for teacher in self.teachers]
        pupil.load_state_dict({name: mean_of([state[name] for state in states]) for name in states[0]})

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
        logits = torch.stack([teacher(films).logits for teacher in self.teachers]).mean(dim=0)
        return self.weight * logits.sigmoid() + (1.0 - self.weight) * labels


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
