"""Text and lines on a picture, with the font that Pillow brings: nothing to download, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from structured_reports.regions import Region
from structured_reports.shrink import shrunk

Colour = tuple[int, int, int]

NOTICE_YELLOW: Colour = (255, 221, 51)
AMBER: Colour = (255, 176, 32)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (186, 190, 196)
RULE: Colour = (58, 62, 68)
BLACK: Colour = (0, 0, 0)

# The filter "up" (ISO/IEC 15948, 9.2) in place of a choice row by row: half the time, no larger. OpenCV names the two
# numbers IMWRITE_PNG_FILTER and IMWRITE_PNG_FILTER_UP from 4.12 on, and passes over them before.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 2, 19, 32)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's bundled font."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType: no text of a given size can be drawn")
    return loaded


def width_of(words: str, size: int, bold: bool = False) -> float:
    """Return how many pixels wide `words` are."""
    return font(size).getlength(words) + (_stroke(size) * 2 if bold else 0)


def fitting_size(words: str, size: int, width: float, smallest: int) -> int:
    """Return the largest size up to `size` at which `words` keep within `width`, not below `smallest`."""
    return max(smallest, min(size, int(size * width / max(width_of(words, size, True), 1.0))))


def wrapped(words: str, size: int, width: float, most: int | None = None, *, bold: bool = False) -> list[str]:
    """Return `words` in lines of at most `width`; a word that is longer is broken.

    Parameters
    ----------
    most
        Number of lines after which the rest is left out, visibly by three dots; None where every word must be shown.
    """
    lines = [""]
    for part in _parts(words, size, width, bold):
        longer = f"{lines[-1]} {part}".strip()
        if width_of(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: most - 1], _with_dots(lines[most - 1], size, width, bold)]


def _parts(words: str, size: int, width: float, bold: bool) -> Iterator[str]:
    """Yield the words, those that are wider than a line in pieces."""
    for word in words.split():
        rest = word
        while len(rest) > 1 and width_of(rest, size, bold) > width:
            # At least one sign, so that a line that is narrower than it ends too
            fitting = next((n for n in range(len(rest) - 1, 1, -1) if width_of(rest[:n], size, bold) <= width), 1)
            yield rest[:fitting]
            rest = rest[fitting:]
        yield rest


def _with_dots(words: str, size: int, width: float, bold: bool) -> str:
    """Return `words` with three dots, as many words or signs as leave room for them."""
    while words and width_of(f"{words} ...", size, bold) > width:
        words = words.rsplit(" ", 1)[0] if " " in words else words[:-1]
    return f"{words} ..."


def centred(
    draw: ImageDraw.ImageDraw,
    words: str,
    at: tuple[float, float],
    size: int,
    colour: Colour,
    *,
    bold: bool = False,
) -> None:
    """Draw `words` around the point `at`."""
    _draw(draw, words, at, size, colour, anchor="mm", bold=bold)


def from_left(draw: ImageDraw.ImageDraw, words: str, at: tuple[float, float], size: int, colour: Colour) -> None:
    """Draw `words` to the right of the point `at`."""
    _draw(draw, words, at, size, colour, anchor="lm")


def from_right(draw: ImageDraw.ImageDraw, words: str, at: tuple[float, float], size: int, colour: Colour) -> None:
    """Draw `words` to the left of the point `at`."""
    _draw(draw, words, at, size, colour, anchor="rm")


def outline(picture: NDArray[np.uint8], region: Region, scale: tuple[float, float], thickness: int) -> None:
    """Draw a region as an amber line with a black edge, so that it shows on lung and on bone."""
    fixed_point = 4  # bits after the point, so that a scaled line stays smooth
    # A point at 0.5 is the center of pixel 0 for a region, 0.0 is for OpenCV
    points = np.round((region.points * scale - 0.5) * 2**fixed_point).astype(np.int32)
    for colour, line in ((BLACK, thickness + 2), (AMBER, thickness)):
        cv2.polylines(picture, [points], True, colour, line, cv2.LINE_AA, fixed_point)


def png(picture: NDArray[np.uint8], longest: int) -> bytes:
    """Return a PNG, no side longer than `longest`."""
    scale = longest / max(picture.shape[:2])
    if scale < 1:
        rows, columns = (max(1, round(length * scale)) for length in picture.shape[:2])
        picture = shrunk(picture, columns, rows)
    _, encoded = cv2.imencode(".png", picture[..., ::-1], _PNG)
    return bytes(encoded)


def canvas(width: int, height: int) -> Image.Image:
    """Return a black picture: a reading room is dark."""
    return Image.new("RGB", (width, height), BLACK)


def _draw(
    draw: ImageDraw.ImageDraw,
    words: str,
    at: tuple[float, float],
    size: int,
    colour: Colour,
    *,
    anchor: str,
    bold: bool = False,
) -> None:
    stroke = _stroke(size) if bold else 0
    draw.text(at, words, fill=colour, font=font(size), anchor=anchor, stroke_width=stroke, stroke_fill=colour)


def _stroke(size: int) -> float:
    """Return the stroke that makes the one weight of the bundled font bold."""
    return max(0.5, round(size / 40, 1))
