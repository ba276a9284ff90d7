"""The middle of the summary page: the film as it is and, above the threshold, the film with its map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.types import Prediction, Score
from structured_reports.colour import INFERNO_CUT, overlaid
from structured_reports.header import SourceHeader
from structured_reports.port import ReportRequest
from structured_reports.regions import LEVEL, regions_of
from structured_reports.selection import leading_score, mapped_scores
from structured_reports.text import NOT_AN_OUTLINE, percent
from structured_reports.typeset import (
    AMBER,
    GREY,
    WHITE,
    centred,
    fitting_size,
    from_left,
    from_right,
    outline,
    wrapped,
)

_TOP, _BOTTOM = 200, 808
_WIDEST = 720
_MIDDLE, _LEFT, _RIGHT = 800, 420, 1180
_CAPTION, _DETAIL, _REMARK = 834, 864, 894
_LEGEND_HALF = 210


def draw_films(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    request: ReportRequest,
    prediction: Prediction,
    header: SourceHeader,
) -> None:
    """Draw one film, or two where a map may be shown, each with its captions."""
    if request.display is None:
        raise ValueError("a prediction needs its film")
    shown = mapped_scores(request)
    at = _LEFT if shown else _MIDDLE
    size = _page_size(request.display, pixel_aspect(header))
    film = np.asarray(cv2.resize(request.display, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _paste(page, np.repeat(film[..., None], 3, axis=2), at)
    _draw_source_caption(draw, request, header, prediction, at)
    if shown:
        _paste(page, mapped(film, shown[0]), _RIGHT)
        _draw_legend(draw)


def mapped(film: NDArray[np.uint8], score: Score) -> NDArray[np.uint8]:
    """Return the small film with the map; the line comes from the full map, so it is the same everywhere."""
    if score.saliency is None:
        raise ValueError("a map is shown only where there is one")
    rows, columns = score.saliency.shape
    size = (film.shape[1], film.shape[0])
    picture = overlaid(film, np.asarray(cv2.resize(score.saliency, size, interpolation=cv2.INTER_AREA)))
    for region in regions_of(score.saliency):
        outline(picture, region, (size[0] / columns, size[1] / rows), 2)
    return picture


def _page_size(film: NDArray[np.uint8], pixel_aspect: float) -> tuple[int, int]:
    """Return columns and rows on the page, in the proportions of the body."""
    rows, columns = film.shape
    scale = min((_BOTTOM - _TOP) / (rows * pixel_aspect), _WIDEST / columns)
    return max(1, round(columns * scale)), max(1, round(rows * pixel_aspect * scale))


def pixel_aspect(header: SourceHeader) -> float:
    """Return height by width of a pixel (PS3.3 10.7.1.3 and C.7.6.3.1.7)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        value = header.get(keyword)
        if value and len(value) == 2 and min(float(part) for part in value) > 0:
            return float(value[0]) / float(value[1])
    return 1.0


def _paste(page: Image.Image, picture: NDArray[np.uint8], middle: int) -> None:
    rows, columns = picture.shape[:2]
    page.paste(Image.fromarray(picture), (middle - columns // 2, (_TOP + _BOTTOM - rows) // 2))


def _draw_source_caption(
    draw: ImageDraw.ImageDraw, request: ReportRequest, header: SourceHeader, prediction: Prediction, middle: int
) -> None:
    caption = _caption(request)
    centred(draw, caption, (middle, _CAPTION), fitting_size(caption, 24, _WIDEST, 22), WHITE)
    centred(draw, _source_words(header), (middle, _DETAIL), 22, GREY)
    _draw_other_scores(draw, prediction, middle)


def _caption(request: ReportRequest) -> str:
    """Return what is shown; of a series, which slice and why it."""
    if request.slices is None:
        return "Source image (unchanged)"
    return f"{'Peak of the map' if request.slices.is_peak else 'Middle'}: {request.slices.place}"


def _draw_other_scores(draw: ImageDraw.ImageDraw, prediction: Prediction, middle: int) -> None:
    """Draw what else is above its threshold, or else what else was looked for."""
    leading = leading_score(prediction)
    others = [score for score in prediction.scores if score is not leading]
    called = [score for score in others if score.above]
    listed = ", ".join(f"{score.finding.name} {percent(score.score)}" for score in called or others)
    if listed:
        words = f"Also above threshold: {listed}" if called else f"Also scored: {listed}"
        line = wrapped(words, 22, _WIDEST, most=1)[0]
        centred(draw, line, (middle, _REMARK), 22, AMBER if called else GREY)


def _source_words(header: SourceHeader) -> str:
    """Return series, image, view and time of the source, as far as it says them."""
    words = [
        f"{name} {header.get(keyword)}"
        for name, keyword in (("series", "SeriesNumber"), ("image", "InstanceNumber"))
        if header.get(keyword) is not None
    ]
    words += [str(header.get("ViewPosition"))] if header.get("ViewPosition") else []
    date = str(header.get("AcquisitionDate") or header.get("ContentDate") or header.get("StudyDate") or "")
    time = str(header.get("AcquisitionTime") or header.get("ContentTime") or header.get("StudyTime") or "")
    if len(date) == 8 and date.isdigit():
        clock = f" {time[:2]}:{time[2:4]}" if time[:4].isdigit() and len(time) >= 4 else ""
        words.append(f"{date[:4]}-{date[4:6]}-{date[6:]}{clock}")
    return ", ".join(words)


def _draw_legend(draw: ImageDraw.ImageDraw) -> None:
    """Draw what the colours mean: relative to this film only."""
    centred(draw, "AI activation map", (_RIGHT, _CAPTION), 24, WHITE)
    left, top, bottom = _RIGHT - _LEGEND_HALF, _DETAIL - 8, _DETAIL + 8
    for step in range(2 * _LEGEND_HALF):
        colour = INFERNO_CUT[step * 256 // (2 * _LEGEND_HALF)]
        draw.line((left + step, top, left + step, bottom), fill=tuple(int(part) for part in colour))
    tick = left + round(2 * _LEGEND_HALF * LEVEL)
    draw.line((tick, top - 5, tick, bottom + 5), fill=AMBER, width=3)
    from_right(draw, "low", (left - 12, _DETAIL), 22, GREY)
    from_left(draw, "peak", (_RIGHT + _LEGEND_HALF + 12, _DETAIL), 22, GREY)
    centred(draw, f"amber line: 50 % of peak activation, {NOT_AN_OUTLINE}", (_RIGHT, _REMARK), 22, GREY)
