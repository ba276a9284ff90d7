"""The upper part of the summary page: what the model says, in words and on a scale."""

from __future__ import annotations

from PIL import ImageDraw

from inference.types import Prediction, Score
from structured_reports.selection import leading_score
from structured_reports.text import score_and_threshold, verdict
from structured_reports.typeset import AMBER, GREY, RULE, WHITE, centred, fitting_size, from_left, from_right

_TOP, _BOTTOM = 156, 172
_HALF_WIDTH = 320
_WIDEST = 1480


def draw_verdict(draw: ImageDraw.ImageDraw, prediction: Prediction, middle: float) -> None:
    """Draw the leading finding with its score and threshold."""
    score = leading_score(prediction)
    found, threshold = score_and_threshold(score)
    words = f"{score.finding.name.capitalize()}: score {found}  (threshold {threshold})  -  {verdict(score)}"
    if score.above:
        words += ", PLEASE REVIEW"
    size = fitting_size(words, 38, _WIDEST, 22)
    # White below the threshold: green would say that all is well
    centred(draw, words, (middle, 112), size, AMBER if score.above else WHITE, bold=True)
    _draw_scale(draw, score, middle)


def _draw_scale(draw: ImageDraw.ImageDraw, score: Score, middle: float) -> None:
    left, right = middle - _HALF_WIDTH, middle + _HALF_WIDTH
    span = right - left
    draw.rectangle((left, _TOP, right, _BOTTOM), fill=RULE)
    if score.score > 0:
        draw.rectangle((left, _TOP, left + span * score.score, _BOTTOM), fill=AMBER if score.above else GREY)
    tick = left + span * score.finding.threshold
    draw.rectangle((tick - 3, _TOP - 8, tick + 3, _BOTTOM + 8), fill=(0, 0, 0))
    draw.rectangle((tick - 1.5, _TOP - 8, tick + 1.5, _BOTTOM + 8), fill=WHITE)
    between = (_TOP + _BOTTOM) / 2
    from_right(draw, "0", (left - 14, between), 22, GREY)
    from_left(draw, "100 %", (right + 14, between), 22, GREY)
