"""The upper part of the summary page: what the model says, in words and on a scale."""

from __future__ import annotations

from PIL import Image, ImageDraw

from inference.types import Prediction, Score
from structured_reports.selection import leading_score
from structured_reports.summary_layout import MIDDLE, SMALLEST_TEXT, TEXT_WIDTH, Block, gap, paragraph
from structured_reports.text import score_and_threshold, verdict
from structured_reports.typeset import AMBER, BLACK, GREY, RULE, WHITE, fitting_size, from_left, from_right

_HALF_WIDTH = 320
_BAR = 16


def verdict_blocks(prediction: Prediction) -> list[Block]:
    """Return the leading finding with its score and threshold, and the scale below it."""
    score = leading_score(prediction)
    found, threshold = score_and_threshold(score)
    words = f"{score.finding.name.capitalize()}: score {found}  (threshold {threshold})  -  {verdict(score)}"
    if score.above:
        words += ", PLEASE REVIEW"
    size = fitting_size(words, 38, TEXT_WIDTH, 30)
    # White below the threshold: green would say that all is well
    said = paragraph(words, AMBER if score.above else WHITE, size, bold=True)
    return [gap(6), said, gap(12), Block(_BAR, lambda page, top: _draw_scale(page, score, top)), gap(24)]


def _draw_scale(page: Image.Image, score: Score, top: int) -> None:
    draw = ImageDraw.Draw(page)
    left, right, bottom = MIDDLE - _HALF_WIDTH, MIDDLE + _HALF_WIDTH, top + _BAR
    span = right - left
    draw.rectangle((left, top, right, bottom), fill=RULE)
    if score.score > 0:
        draw.rectangle((left, top, left + span * score.score, bottom), fill=AMBER if score.above else GREY)
    tick = left + span * score.finding.threshold
    draw.rectangle((tick - 3, top - 8, tick + 3, bottom + 8), fill=BLACK)
    draw.rectangle((tick - 1.5, top - 8, tick + 1.5, bottom + 8), fill=WHITE)
    between = (top + bottom) / 2
    from_right(draw, "0", (left - 14, between), SMALLEST_TEXT, GREY)
    from_left(draw, "100 %", (right + 14, between), SMALLEST_TEXT, GREY)
