"""The words on a heatmap: large enough where a viewer shows the film a few hundred pixels wide, beside others.

Words are never made smaller to fit. They are wrapped, and the dark field behind them becomes as high as they need. The
film stays bright beside it: the lungs reach farthest down at the sides. They stand at the lower edge, or where no
region lies: what a reader is to look at is never below words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.types import Prediction, Score
from structured_reports.port import ReportRequest
from structured_reports.regions import Region
from structured_reports.summary_layout import CLEAR_ABOVE
from structured_reports.text import NOT_AN_OUTLINE, model_line, score_and_threshold, verdict
from structured_reports.typeset import GREY, NOTICE_YELLOW, WHITE, Colour, centred, wrapped

LIGHT = 0.3
"""What is left of the light of the film below the words: WCAG 2.2 asks for a contrast of 4.5 (1.4.3)."""
WIDTH = 0.64
"""Share of the picture between the corners, into which viewers write."""
MAIN, DETAIL = 0.03, 0.024
"""Size of the words by the shorter side of the film: capitals of 6 pixels where it is shown with 300 pixels, or 400."""

_LINE = 1.22  # of the size, from one line to the next
_MARGIN = 0.012  # of the shorter side, above and below the words
_BOLD_FROM = 14  # pixels: below, a stroke closes the letters
_SMALLEST = 6  # pixels: below, the font has no letters


@dataclass(frozen=True)
class _Line:
    words: str
    colour: Colour
    size: int


def write_band(
    picture: NDArray[np.uint8], request: ReportRequest, score: Score, regions: Sequence[Region], around: int
) -> None:
    """Darken a field in the middle of a picture and write into it what it shows, with which notice.

    Parameters
    ----------
    around
        Pixels around each region that are to be seen too: half of its line.
    """
    rows, columns = picture.shape[:2]
    unit = min(rows, columns)
    lines = list(_lines(request, score, unit, WIDTH * columns))
    margin = round(_MARGIN * unit)
    height = min(rows, round(sum(line.size * _LINE for line in lines)) + 2 * margin)
    left = max(0, round((1 - WIDTH) / 2 * columns) - margin)
    first = _first_row(height, rows, [_extent(one, around) for one in regions if _meets(one, left - around, columns)])
    field = picture[first : first + height, left : columns - left]
    image = Image.fromarray(cv2.convertScaleAbs(np.ascontiguousarray(field), alpha=LIGHT))
    draw, y = ImageDraw.Draw(image), float(margin)
    for line in lines:
        y += line.size * _LINE
        is_bold = line.colour != GREY and line.size >= _BOLD_FROM
        centred(draw, line.words, (field.shape[1] / 2, y - line.size * _LINE / 2), line.size, line.colour, bold=is_bold)
    field[:] = np.asarray(image)


def _meets(region: Region, left: float, columns: int) -> bool:
    """Return whether a region reaches into the columns from `left` to as far from the other edge."""
    across = region.points[:, 0]
    return bool(across.max() > left and across.min() < columns - left)


def _extent(region: Region, around: int) -> tuple[float, float]:
    """Return the rows between which a region and its line lie."""
    down = region.points[:, 1]
    return float(down.min()) - around, float(down.max()) + around


def _first_row(height: int, rows: int, taken: Sequence[tuple[float, float]]) -> int:
    """Return where words of some height begin: the lower edge, the upper one, or else the lowest place between regions.

    Regions over nearly all rows leave no place; then the one that hides least, and their lines are drawn over it.
    """
    lowest = rows - height
    # A viewer keeps the uppermost rows for itself
    places: tuple[int, ...] = (lowest, min(lowest, round(CLEAR_ABOVE * rows)), *range(lowest, -1, -max(1, rows // 200)))

    def hidden(first: int) -> float:
        return sum(max(0.0, min(last, first + height) - max(top, first)) for top, last in taken)

    return min(places, key=hidden)


def _lines(request: ReportRequest, score: Score, unit: int, width: float) -> Iterator[_Line]:
    for words, colour, share in _paragraphs(request, score):
        size = max(_SMALLEST, round(share * unit))
        for line in wrapped(words, size, width, bold=colour != GREY):
            yield _Line(line, colour, size)


def _paragraphs(request: ReportRequest, score: Score) -> list[tuple[str, Colour, float]]:
    """Return words, colour and size by the shorter side of the film."""
    found, threshold = score_and_threshold(score)
    model = f"Model {model_line(request.outcome.card)}" if isinstance(request.outcome, Prediction) else ""
    name = score.finding.name.capitalize()
    return [
        (request.notice, NOTICE_YELLOW, MAIN),
        (f"{name} score {found}, threshold {threshold}", WHITE, MAIN),
        (verdict(score), WHITE, MAIN),
        (f"colour: relative activation, line: 50 % of peak - {NOT_AN_OUTLINE}. {model}", GREY, DETAIL),
    ]
