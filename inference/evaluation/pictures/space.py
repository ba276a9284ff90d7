"""The embedding drawn: t-SNE, and the spread of each class.

References
----------
* van der Maaten and Hinton, JMLR 9, 2008: t-SNE
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from inference.evaluation.embedding import Scatter, vectors
from inference.evaluation.pictures.style import CLASS_NAMES, NEGATIVE, POSITIVE, panels
from inference.evaluation.reading import Reading
from inference.evaluation.text import wrapped

FEWEST = 10  # films; a map of fewer shows nothing
DIRECTIONS = 50  # of greatest variance, before t-SNE
LARGE = 150  # films
MARKS = ("o", "^", "s", "D", "v")


def placed(readings: Sequence[Reading]) -> NDArray[np.float64]:
    """Return a place in the plane for each film, (films, 2); near are films that the network finds alike."""
    points = vectors(readings)
    points = PCA(min(DIRECTIONS, *points.shape), random_state=0).fit_transform(points)
    perplexity = min(30.0, (len(points) - 1) / 3.0)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(points), np.float64)


@dataclass(frozen=True)
class Plane:
    """The films of some populations in a plane; they are placed once, when they are first drawn."""

    named: Mapping[str, Sequence[Reading]]

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Place of each film in the order of the populations."""
        return placed([reading for readings in self.named.values() for reading in readings])

    def groups(self) -> Iterator[tuple[str, bool, NDArray[np.float64]]]:
        """Yield the places of each class of each population."""
        population = np.array([name for name, readings in self.named.items() for _ in readings])
        truth = np.array([reading.truth for readings in self.named.values() for reading in readings])
        for name in self.named:
            for label in (False, True):
                yield name, label, self.places[(population == name) & (truth == label)]


def draw_embedding(figure: Figure, plane: Plane) -> None:
    """Draw every film once: colour says the class, the mark says the population."""
    axes = figure.subplots()
    marks = dict(zip(plane.named, MARKS, strict=False))
    for name, label, places in plane.groups():
        is_large = len(plane.named[name]) > LARGE  # a small population must be seen among a large one
        axes.scatter(
            places[:, 0], places[:, 1], s=15 if is_large else 42, c=POSITIVE if label else NEGATIVE,
            marker=marks[name], alpha=0.75, linewidths=0.6, edgecolors="none" if is_large else "black",
            label=f"{name}: {CLASS_NAMES[label]} ({len(places)})",
        )  # fmt: skip
    axes.set(
        xticks=[], yticks=[], xlabel="t-SNE, first direction (no unit)", ylabel="t-SNE, second direction (no unit)"
    )
    figure.legend(loc="outside lower center", ncols=2)


def draw_spread(figure: Figure, scatters: Sequence[Scatter]) -> None:
    """Draw how far films lie from the mean of their class, in units of the distance between the means."""
    highest = max(float(np.percentile(each, 95)) for scatter in scatters for each in scatter.distances)
    for axes, scatter in zip(panels(figure, len(scatters)), scatters, strict=True):
        boxes = axes.boxplot(
            list(scatter.distances), widths=0.55, whis=(5, 95), showfliers=False, patch_artist=True,
            medianprops={"color": "black", "linewidth": 1.6},
        )  # fmt: skip
        for box, colour in zip(boxes["boxes"], (NEGATIVE, POSITIVE), strict=True):
            box.set(facecolor=colour, alpha=0.75)
        for part in (*boxes["whiskers"], *boxes["caps"]):
            part.set_color("gray")
        axes.axhline(0.5, color="gray", linestyle=":", linewidth=1.2)
        axes.set_title(f"{wrapped(scatter.population)}\nbetween / within variance {scatter.ratio:.2f}")
        labels = [f"{name}\n({len(each)})" for name, each in zip(CLASS_NAMES, scatter.distances, strict=True)]
        axes.set_xticks([1, 2], labels)
        axes.set(ylabel="distance from own class mean", ylim=(0.0, 1.12 * highest))
