"""The head fitted on once the features are learned, to films as they are, at their own aspect ratio and squeezed.

What a network learns from augmented films and blends of two it says too faintly of films as they are. Only the head is
fitted, and every step away from what was learned is penalised: the features stay what they are, so is the map exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from inference.changes import NARROWER, WIDER, changed
from inference.training.loop import Floats, readings_of, smoothed
from inference.training.network import FilmClassifier
from inference.training.pool import FilmPool
from inference.training.recipe import Recipe, RefitSection
from inference.types import Radiograph

# As `ways` shows each film.
WAYS = 4
MOST_STEPS = 100


def refit(recipe: Recipe, asked: RefitSection, classifier: FilmClassifier, pool: FilmPool, progress: Progress) -> None:
    """Fit the head of a trained classifier on.

    Parameters
    ----------
    pool
        Training films with the targets that the features were learned from; each population counts alike.
    """
    films = progress.track(ways(recipe, pool), total=WAYS * len(pool.films), description="films for the head")
    channels = classifier.head.in_channels
    readings = readings_of(classifier, films, recipe.input.preprocessing())
    said = [(reading.embedding[0, :channels], reading.logits[0, 0]) for reading in readings]
    features, logits = (torch.stack(each).double() for each in zip(*said, strict=True))
    targets = smoothed(torch.tensor([film.target for film in pool.films]), recipe.schedule.label_smoothing)
    scale, change = fitted_on(
        features, logits, targets.double().repeat(WAYS), weights_of(pool).repeat(WAYS), asked.penalty
    )
    with torch.no_grad():
        head = classifier.head.weight
        head.copy_((scale * head.double() + change.reshape(head.shape)).to(head.dtype))


def ways(recipe: Recipe, pool: FilmPool) -> Iterator[Floats]:
    """Yield all films as they are, then at their own aspect ratio, then narrower, then wider."""
    random = np.random.default_rng(recipe.seed)
    squeezed = (changed(Radiograph(film), change).pixels for change in (NARROWER, WIDER) for film in pool.all())
    return chain(pool.unchanged(recipe.augmented().aspect, random), squeezed)


def weights_of(pool: FilmPool) -> Tensor:
    """Return how much each film counts, each population as much as another, (films,)."""
    films = Counter(film.population for film in pool.films)
    return torch.tensor([1.0 / films[film.population] for film in pool.films], dtype=torch.float64)


def fitted_on(
    features: Tensor, logits: Tensor, targets: Tensor, weights: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Return by what a head is multiplied, and what is then added to it, (channels,), for the lowest log loss.

    Parameters
    ----------
    features
        (films, channels), float64.
    logits, targets, weights
        (films,), float64: what the head says, the probability to learn, and how much it counts.
    penalty
        Of the squared change, channels in units of their standard deviation. The scaling of the scores is free, and
        so is their shift, which calibration decides anew.
    """
    deviation = features.std(dim=0) + 1e-6
    spread = (features - features.mean(dim=0)) / deviation
    share = weights / weights.sum()
    scale, shift = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    change = torch.zeros(features.shape[1], dtype=torch.float64)
    learned = [each.requires_grad_() for each in (scale, shift, change)]
    optimizer = torch.optim.LBFGS(learned, max_iter=MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        said = scale * logits + shift + spread @ change
        entropy = binary_cross_entropy_with_logits(said, targets, weight=share, reduction="sum")
        penalised: Tensor = entropy + penalty * change.square().sum()
        penalised.backward()  # type: ignore[no-untyped-call]
        return penalised

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return scale.detach(), (change / deviation).detach()
