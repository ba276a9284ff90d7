"""Labelled films in memory, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import MissingDataError
from inference.film import display_pixels
from inference.film_folder import ADULTS, FilmFolder, LabelledFilm, at_aspect
from inference.geometry import resized
from inference.preprocessing import Preprocessing
from inference.training.augmentation import Augmentation
from inference.training.recipe import Recipe
from inference.training.transplant import Example, Transplant
from inference.types import Radiograph

Floats = NDArray[np.float32]
FractionBox = tuple[float, float, float, float]

# Larger than any model's side, small enough to keep every film in memory.
KEPT_SIDE = 320
# Both parameters of the distribution of shares in a blend: mostly a little of the other film.
MIXING = 0.4


class Batch(NamedTuple):
    """What is learned at once.

    Attributes
    ----------
    films
        float32, (films, 1, side, side).
    targets
        float32, (films, 1): probability of the finding.
    boxed
        float32, (films, side, side): 1.0 inside a radiologist's box, 0.0 everywhere on a film without.
    """

    films: Tensor
    targets: Tensor
    boxed: Tensor


@dataclass(frozen=True)
class FilmPool:
    """Labelled films in memory.

    Attributes
    ----------
    pictures
        uint8, (rows, columns) each.
    boxes
        Of each film: x, y, width and height as fractions.
    """

    films: tuple[LabelledFilm, ...]
    pictures: tuple[NDArray[np.uint8], ...]
    boxes: tuple[tuple[FractionBox, ...], ...]

    @classmethod
    def load(cls, folder: FilmFolder, films: Sequence[LabelledFilm]) -> FilmPool:
        """Return films read from a folder, reduced to at most `KEPT_SIDE`."""
        known = folder.boxes()
        pictures = tuple(kept_picture(radiograph) for radiograph in folder.radiographs(films))
        # A box on a film that others call clear teaches nothing.
        boxes = tuple(tuple(known.get(film.file, ())) if film.target == 1.0 else () for film in films)
        return cls(tuple(films), pictures, boxes)

    def film(self, index: int) -> Floats:
        """Return a film as a float32 array in [0, 1]."""
        return self.pictures[index].astype(np.float32) / np.float32(255.0)

    def all(self) -> Iterator[Floats]:
        """Yield every film as a float32 array in [0, 1]."""
        return (self.film(index) for index in range(len(self.films)))

    def at_own_aspect(self, span: tuple[float, float], random: np.random.Generator) -> Iterator[Floats]:
        """Yield every film at its original aspect ratio; where that is unknown, at one drawn from a span."""
        ratios = [film.aspect or float(np.exp(random.uniform(*np.log(span)))) for film in self.films]
        for film, ratio in zip(self.all(), ratios, strict=True):
            yield at_aspect(Radiograph(film), ratio).pixels

    def unchanged(self, span: tuple[float, float], random: np.random.Generator) -> Iterator[Floats]:
        """Yield every film as it is, then every film as `at_own_aspect`."""
        return chain(self.all(), self.at_own_aspect(span, random))

    def boxed(self, index: int) -> Floats:
        """Return a film's boxes as float32, (rows, columns), 1.0 inside."""
        rows, columns = self.pictures[index].shape[:2]
        inside = np.zeros((rows, columns), np.float32)
        for x, y, width, height in self.boxes[index]:
            inside[round(y * rows) : round((y + height) * rows), round(x * columns) : round((x + width) * columns)] = 1
        return inside

    def example(self, index: int) -> Example:
        """Return a film as it is learned."""
        return Example(self.film(index), self.boxed(index), self.films[index].target)

    @cached_property
    def opacities(self) -> NDArray[np.int64]:
        """Indices of films with boxes."""
        return np.flatnonzero([bool(boxes) for boxes in self.boxes])

    @cached_property
    def clear(self) -> NDArray[np.int64]:
        """Indices of adults' films that radiologists called normal."""
        return np.flatnonzero([film.population == ADULTS and film.is_normal for film in self.films])


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
            raise MissingDataError(f"shares.{stratum}: none of the {len(films)} training films is of this stratum")
        count = round(recipe.schedule.films_per_epoch * share / total)
        # Each member in turn before any comes again.
        rounds = [random.permutation(members) for _ in range(-(-count // members.size))]
        epoch.append(np.concatenate(rounds)[:count])
    return random.permutation(np.concatenate(epoch))


def batches(pool: FilmPool, recipe: Recipe, side: int, random: np.random.Generator) -> Iterator[Batch]:
    """Yield the batches of one epoch, augmented, prepared as in serving."""
    augmentation = Augmentation(**recipe.augmentation.model_dump()) if recipe.augmentation else None
    preprocessing = replace(recipe.input.preprocessing(), side=side)
    order = drawn(pool.films, recipe, random)
    transplant = Transplant(**recipe.transplant.model_dump()) if recipe.transplant else None
    if len(order) < recipe.schedule.batch:
        raise MissingDataError(
            f"schedule.batch: {recipe.schedule.batch}: more than the {len(order)} films of an epoch of these shares"
        )
    for start in range(0, len(order) - recipe.schedule.batch + 1, recipe.schedule.batch):
        chosen = order[start : start + recipe.schedule.batch]
        examples = [pool.example(index) for index in chosen]
        if transplant:
            examples = [
                transplanted(pool, transplant, each, pool.films[index], random)
                for each, index in zip(examples, chosen, strict=True)
            ]
        if augmentation:
            examples = [Example(*augmentation.changed(each.film, each.boxed, random), each.target) for each in examples]
        batch = batch_of(examples, preprocessing)
        yield mixed(batch, random) if random.random() < recipe.schedule.mixed else batch


def transplanted(
    pool: FilmPool, transplant: Transplant, example: Example, film: LabelledFilm, random: np.random.Generator
) -> Example:
    """Return an example, with a region of another film where it suits."""
    if not transplant.suits(film, random):
        return example
    opacity, clear = (pool.example(int(random.choice(donors))) for donors in (pool.opacities, pool.clear))
    return transplant.put(example, opacity, clear, random)


def batch_of(examples: Sequence[Example], preprocessing: Preprocessing) -> Batch:
    """Return films and their boxes on the grid of the network."""
    prepared = [preprocessing.prepare(Radiograph(each.film)) for each in examples]
    films = np.stack([each.tensor for each in prepared])
    boxed = np.stack([film.geometry.to_model(each.boxed) for film, each in zip(prepared, examples, strict=True)])
    targets = np.array([[each.target] for each in examples], np.float32)
    return Batch(torch.from_numpy(films), torch.from_numpy(targets), torch.from_numpy(boxed))


def mixed(batch: Batch, random: np.random.Generator) -> Batch:
    """Return films blended in pairs with their targets; what is boxed lies on half a film only, and is not asked.

    References
    ----------
    * Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018
    """
    share = float(random.beta(MIXING, MIXING))
    order = torch.from_numpy(random.permutation(len(batch.films)))
    films, targets = (share * each + (1.0 - share) * each[order] for each in (batch.films, batch.targets))
    return Batch(films, targets, torch.zeros_like(batch.boxed))
