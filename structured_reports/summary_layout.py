"""The summary page from above to below: what is drawn takes the room that it needs, and the page becomes as high.

Viewers write over a picture. OHIF lays a cine control over the middle of the upper edge of a series of modality OT, and
every viewer writes into the corners: the notice begins below the one, and the footer stays between the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from structured_reports.typeset import RULE, Colour, canvas, centred, wrapped

WIDTH, HEIGHT = 1600, 1000
MIDDLE = WIDTH // 2
MARGIN = 60
TEXT_WIDTH = WIDTH - 2 * MARGIN
BETWEEN_CORNERS = int(0.64 * WIDTH)
"""Widest text at the upper and the lower edge."""
CLEAR_ABOVE = 0.09
"""Share of the height that is left to a viewer: OHIF takes 84 of the 942 rows that it has of a screen of 1000."""
CLEAR_BELOW = 28
SMALLEST_TEXT = 22
LINE = 28
"""From one line of the smallest text to the next."""


@dataclass(frozen=True)
class Block:
    """Something that is drawn over the whole width.

    Attributes
    ----------
    height
        Rows that it takes.
    draw
        Draws it, given the page and its first row.
    """

    height: int
    draw: Callable[[Image.Image, int], None]


def gap(height: int) -> Block:
    """Return empty rows."""
    return Block(height, lambda page, top: None)


def rule() -> Block:
    """Return a line from margin to margin."""

    def draw(page: Image.Image, top: int) -> None:
        ImageDraw.Draw(page).line((MARGIN, top + 8, WIDTH - MARGIN, top + 8), fill=RULE, width=2)

    return Block(16, draw)


def paragraph(
    words: str,
    colour: Colour,
    size: int = SMALLEST_TEXT,
    width: int = TEXT_WIDTH,
    most: int | None = None,
    *,
    bold: bool = False,
) -> Block:
    """Return words in lines around the middle."""
    return lines_of(wrapped(words, size, width, most, bold=bold), colour, size, bold=bold)


def lines_of(lines: Sequence[str], colour: Colour, size: int = SMALLEST_TEXT, *, bold: bool = False) -> Block:
    """Return lines around the middle."""
    line = round(size * LINE / SMALLEST_TEXT)

    def draw(page: Image.Image, top: int) -> None:
        for number, words in enumerate(lines):
            at = (MIDDLE, top + line * (number + 0.5))
            centred(ImageDraw.Draw(page), words, at, size, colour, bold=bold)

    return Block(line * len(lines), draw)


def page_of(upper: Sequence[Block], lower: Sequence[Block]) -> Image.Image:
    """Return the page: `upper` from above, `lower` at its lower end, as high as both need and at least `HEIGHT`."""
    needed = [sum(block.height for block in blocks) for blocks in (upper, lower)]
    height = max(HEIGHT, math.ceil((sum(needed) + CLEAR_BELOW) / (1 - CLEAR_ABOVE)))
    page = canvas(WIDTH, height)
    for blocks, begin in ((upper, math.ceil(CLEAR_ABOVE * height)), (lower, height - CLEAR_BELOW - needed[1])):
        top = begin
        for block in blocks:
            block.draw(page, top)
            top += block.height
    return page
