"""The middle of the summary page: the film as it is and, above the threshold, the film with its map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.types import Score
from structured_reports.colour import INFERNO_CUT, overlaid
from structured_reports.header import SourceHeader
from structured_reports.port import ReportRequest
from structured_reports.regions import LEVEL, regions_of
from structured_reports.selection import mapped_scores
from structured_reports.shrink import shrunk
from structured_reports.spacing import pixel_aspect
from structured_reports.summary_layout import LINE, MIDDLE, SMALLEST_TEXT, Block, gap
from structured_reports.text import NOT_AN_OUTLINE
from structured_reports.typeset import (
    AMBER,
    GREY,
    WHITE,
    Colour,
    centred,
    from_left,
    from_right,
    outline,
    wrapped,
)

_HIGHEST, _WIDEST = 560, 720
_LEFT, _RIGHT = 420, 1180
_CAPTION_SIZE = 24
_LEGEND_HALF = 210

_VIEWS = ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO")  # ViewPosition (PS3.3 C.8.1.1, C.8.11.5)

_Line = tuple[str, int, Colour]
"""Words, size, colour."""


def films(request: ReportRequest, header: SourceHeader) -> list[Block]:
    """Return one film, or two where a map may be shown, and their captions."""
    if request.display is None:
        raise ValueError("a prediction needs its film")
    shown = mapped_scores(request)
    size = _page_size(request.display, pixel_aspect(header))
    film = shrunk(request.display, *size)
    pictures = [(np.repeat(film[..., None], 3, axis=2), _LEFT if shown else MIDDLE)]
    captions = [(_source_caption(request, header), pictures[0][1])]
    if shown:
        pictures.append((mapped(film, shown[0]), _RIGHT))
        captions.append((_map_caption(shown[0]), _RIGHT))
    legend = [Block(LINE, _draw_legend)] if shown else []
    return [_pictures(pictures), gap(10), _captions(captions), *legend]


def _pictures(pictures: list[tuple[NDArray[np.uint8], int]]) -> Block:
    """Return pictures around their columns."""
    height = max(len(picture) for picture, _ in pictures)

    def draw(page: Image.Image, top: int) -> None:
        for picture, middle in pictures:
            page.paste(Image.fromarray(picture), (middle - picture.shape[1] // 2, top))

    return Block(height, draw)


def _captions(captions: list[tuple[list[_Line], int]]) -> Block:
    """Return lines below pictures."""

    def draw(page: Image.Image, top: int) -> None:
        for lines, middle in captions:
            for number, (words, size, colour) in enumerate(lines):
                centred(ImageDraw.Draw(page), words, (middle, top + LINE * (number + 0.5)), size, colour)

    return Block(LINE * max(len(lines) for lines, _ in captions), draw)


def _lines(words: str, size: int, colour: Colour) -> list[_Line]:
    return [(line, size, colour) for line in wrapped(words, size, _WIDEST) if line]


def mapped(film: NDArray[np.uint8], score: Score) -> NDArray[np.uint8]:
    """Return the small film with the map; the line comes from the full map, so it is the same everywhere."""
    if score.saliency is None:
        raise ValueError("a map is shown only where there is one")
    rows, columns = score.saliency.shape
    size = (film.shape[1], film.shape[0])
    picture = overlaid(film, shrunk(score.saliency, *size))
    for region in regions_of(score.saliency):
        outline(picture, region, (size[0] / columns, size[1] / rows), 2)
    return picture


def _page_size(film: NDArray[np.uint8], aspect: float) -> tuple[int, int]:
    """Return columns and rows on the page, in the proportions of the body."""
    rows, columns = film.shape
    scale = min(_HIGHEST / (rows * aspect), _WIDEST / columns)
    return max(1, round(columns * scale)), max(1, round(rows * aspect * scale))


def _source_caption(request: ReportRequest, header: SourceHeader) -> list[_Line]:
    return [*_lines(_caption(request), _CAPTION_SIZE, WHITE), *_lines(_source_words(header), SMALLEST_TEXT, GREY)]


def _map_caption(score: Score) -> list[_Line]:
    """Return whose map it is, since another finding may be above its threshold too, and what the line is."""
    words = f"amber line: 50 % of peak activation, {NOT_AN_OUTLINE}"
    return [
        *_lines(f"AI activation map: {score.finding.name}", _CAPTION_SIZE, WHITE),
        *_lines(words, SMALLEST_TEXT, GREY),
    ]


def _caption(request: ReportRequest) -> str:
    """Return what is shown; of a series, which slice and why it."""
    if request.slices is None:
        return "Source image (unchanged)"
    return f"{'Peak of the map' if request.slices.is_peak else 'Middle'}: {request.slices.place}"


def _source_words(header: SourceHeader) -> str:
    """Return series, image, view and time of the source, as far as it says them."""
    words = [
        f"{name} {header.get(keyword)}"
        for name, keyword in (("series", "SeriesNumber"), ("image", "InstanceNumber"))
        if header.get(keyword) is not None
    ]
    # The term alone: what stands behind it is written by people, and may be a name
    view = str(header.get("ViewPosition") or "").upper().split()[:1]
    words += [one for one in view if one in _VIEWS]
    date = str(header.get("AcquisitionDate") or header.get("ContentDate") or header.get("StudyDate") or "")
    time = str(header.get("AcquisitionTime") or header.get("ContentTime") or header.get("StudyTime") or "")
    if len(date) == 8 and date.isdigit():
        clock = f" {time[:2]}:{time[2:4]}" if time[:4].isdigit() and len(time) >= 4 else ""
        words.append(f"{date[:4]}-{date[4:6]}-{date[6:]}{clock}")
    return ", ".join(words)


def _draw_legend(page: Image.Image, top: int) -> None:
    """Draw what the colours mean: relative to this film only."""
    draw = ImageDraw.Draw(page)
    left, between = _RIGHT - _LEGEND_HALF, top + LINE / 2
    for step in range(2 * _LEGEND_HALF):
        colour = INFERNO_CUT[step * 256 // (2 * _LEGEND_HALF)]
        draw.line((left + step, between - 8, left + step, between + 8), fill=tuple(int(part) for part in colour))
    tick = left + round(2 * _LEGEND_HALF * LEVEL)
    draw.line((tick, between - 13, tick, between + 13), fill=AMBER, width=3)
    from_right(draw, "low", (left - 12, between), SMALLEST_TEXT, GREY)
    from_left(draw, "peak", (_RIGHT + _LEGEND_HALF + 12, between), SMALLEST_TEXT, GREY)
