"""Films with their maps: where the model looked, and where it was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from inference.evaluation.pointing import FractionBox
from inference.evaluation.reading import Floats

BOX_COLOUR = "#56B4E9"  # seen beside every colour of the map
CLEAR_BELOW = 0.25  # of the peak: the film is untouched there
MOST_OPAQUE = 0.5
BLACK: Mapping[str, str] = {"paper": "#000000", "ink": "#f0f0f0", "faint": "#000000"}
COLUMNS = 4
ROW_INCHES = 3.15


@dataclass(frozen=True)
class Shown:
    """A film of a gallery.

    Attributes
    ----------
    pixels
        float32, (rows, columns), 0.0 black to 1.0 white.
    saliency
        On the grid of the film, None without.
    boxes
        x, y, width and height as fractions.
    peak
        Row and column.
    has_map
        False for a film that is shown bare; one that should have a map and has none says so.
    """

    pixels: Floats
    saliency: Floats | None
    words: str
    boxes: Sequence[FractionBox] = ()
    peak: tuple[int, int] | None = None
    has_map: bool = True


def gallery_size(count: int) -> tuple[float, float]:
    """Return the size of a gallery in inches: films lie in pairs, bare and with map."""
    pairs = COLUMNS // 2
    return (10.8, ROW_INCHES * -(-count // pairs))


def draw_gallery(figure: Figure, pairs: Sequence[tuple[Shown, Shown]]) -> None:
    """Draw pairs of pictures of one film side by side."""
    rows = -(-2 * len(pairs) // COLUMNS)
    grid: list[Axes] = figure.subplots(rows, COLUMNS, squeeze=False).ravel().tolist()
    for axes in grid:
        axes.set_axis_off()
    for axes, film in zip(grid, (film for pair in pairs for film in pair), strict=False):
        draw_film(axes, film.pixels)
        axes.set_title(film.words, fontsize=9)
        draw_map(axes, film)


def bare_and_mapped(film: Shown) -> tuple[Shown, Shown]:
    """Return a film without anything over it, and with its map; the words stand over the first."""
    return replace(film, saliency=None, boxes=(), peak=None, has_map=False), replace(film, words="")


def draw_film(axes: Axes, pixels: Floats) -> None:
    """Draw a film in gray."""
    axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, interpolation="antialiased")


def draw_map(axes: Axes, film: Shown) -> None:
    """Lay the map, the radiologist's boxes and the maximum over a film."""
    if film.saliency is not None:
        opacity = np.clip((film.saliency - CLEAR_BELOW) / (1.0 - CLEAR_BELOW), 0.0, 1.0) * MOST_OPAQUE
        axes.imshow(film.saliency, cmap="inferno", vmin=0.0, vmax=1.0, alpha=opacity)
    elif film.has_map:
        ground = {"facecolor": "black", "edgecolor": "none", "alpha": 0.75}
        words = "no map: nothing speaks\nfor the finding"
        axes.text(0.5, 0.04, words, transform=axes.transAxes, ha="center", va="bottom", fontsize=9, bbox=ground)
    rows, columns = film.pixels.shape
    for x, y, width, height in film.boxes:
        place, size = (x * columns, y * rows), (width * columns, height * rows)
        axes.add_patch(Rectangle(place, *size, fill=False, edgecolor="black", linewidth=3.2))
        axes.add_patch(Rectangle(place, *size, fill=False, edgecolor=BOX_COLOUR, linewidth=1.8))
    if film.peak is not None:
        row, column = film.peak
        axes.plot(column, row, "+", color="black", markersize=15, markeredgewidth=4.0)
        axes.plot(column, row, "+", color="white", markersize=14, markeredgewidth=1.8)
