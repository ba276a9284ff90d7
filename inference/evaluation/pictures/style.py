"""How pictures look: on light and on dark paper, in colours that colour-blind readers tell apart.

References
----------
* Okabe and Ito, Color Universal Design, 2008: the palette
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

# The blue is lighter than theirs, so that it is seen on both papers.
NEGATIVE, POSITIVE, THIRD, FOURTH, FIFTH = "#1F86D1", "#D55E00", "#009E73", "#CC79A7", "#E69F00"
SERIES = (NEGATIVE, POSITIVE, THIRD, FOURTH, FIFTH)
# Class by colour and by sign, so that a print without colour says the same.
CLASS_NAMES = ("no pneumonia", "pneumonia")

DOTS_PER_INCH = 150
MOST_COLOURS = 128
PAPERS: Mapping[str, Mapping[str, str]] = {
    "": {"paper": "#ffffff", "ink": "#1b1f24", "faint": "#c9cfd6"},
    "-dark": {"paper": "#15191e", "ink": "#e6e9ed", "faint": "#424b55"},
}

Draw = Callable[[Figure], None]


def rules(paper: Mapping[str, str]) -> dict[str, object]:
    """Return matplotlib's settings for a paper."""
    ink, faint = paper["ink"], paper["faint"]
    return {
        "figure.facecolor": paper["paper"], "savefig.facecolor": paper["paper"], "axes.facecolor": paper["paper"],
        "text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink, "axes.edgecolor": faint,
        "axes.grid": True, "grid.color": faint, "grid.linewidth": 0.5, "axes.axisbelow": True,
        "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
        "font.size": 9.5, "axes.titlesize": 10, "axes.titlelocation": "left", "legend.frameon": False,
        "legend.fontsize": 9, "lines.linewidth": 1.8,
    }  # fmt: skip


def write_both(path: Path, size: tuple[float, float], draw: Draw) -> None:
    """Write a picture for light and, beside it with `-dark` in its name, for dark pages; size in inches."""
    for suffix, paper in PAPERS.items():
        named = path.with_stem(path.stem + suffix)
        write(named, size, draw, paper)
        with_palette(named)


def with_palette(path: Path) -> None:
    """Write a picture of lines and areas again with the few colours that it has: a third of the bytes."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(MOST_COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def write(path: Path, size: tuple[float, float], draw: Draw, paper: Mapping[str, str]) -> None:
    """Write one picture."""
    with mpl.rc_context(rules(paper)):  # type: ignore[arg-type] # matplotlib names every setting in a type of its own
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
        draw(figure)
        figure.savefig(path, metadata={"Software": None})


def columns_of(count: int) -> int:
    """Return how many panels stand side by side: at most three, and two where four would leave one alone."""
    return 2 if count == 4 else max(1, min(3, count))


def rows_of(count: int) -> int:
    """Return how many rows panels make."""
    return -(-count // columns_of(count))


def panels(figure: Figure, count: int) -> list[Axes]:
    """Return that many axes in rows; places that are left over stay empty."""
    grid: list[Axes] = figure.subplots(rows_of(count), columns_of(count), squeeze=False).ravel().tolist()
    for spare in grid[count:]:
        spare.set_axis_off()
    return grid[:count]


def unit_square(axes: Axes, across: str, up: str) -> None:
    """Make axes a square from 0 to 1."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=across, ylabel=up, aspect="equal")
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axes.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
