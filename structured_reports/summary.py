"""One page that says everything, for viewers that show nothing else of a result."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.types import Prediction
from structured_reports.envelope import SUMMARY, result_time
from structured_reports.header import SourceHeader, read_header
from structured_reports.part10 import sealed
from structured_reports.port import Refusal, ReportRequest, ResultObject
from structured_reports.secondary_capture import secondary_capture
from structured_reports.summary_context import context_lines, draw_context, height_of
from structured_reports.summary_films import draw_films
from structured_reports.summary_verdict import draw_verdict
from structured_reports.text import NOT_PERFORMED, model_line, sentence, version_line
from structured_reports.typeset import (
    GREY,
    NOTICE_YELLOW,
    RULE,
    WHITE,
    canvas,
    centred,
    fitting_size,
    png,
    wrapped,
)  # fmt: skip

WIDTH, HEIGHT = 1600, 1000
SMALLEST_TEXT = 22

_MIDDLE = WIDTH / 2
_MARGIN = 60
_TEXT_WIDTH = WIDTH - 2 * _MARGIN
_FOOTER = 914


def summary(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
    """Return the summary page, for every outcome: silence would look like a negative."""
    header = read_header(request.source)
    picture = summary_picture(request, header)
    dataset = secondary_capture(request, header, SUMMARY, picture, "Summary page of an AI result")
    return sealed(SUMMARY.kind, dataset, header, png(picture, WIDTH))


def summary_picture(request: ReportRequest, header: SourceHeader) -> NDArray[np.uint8]:
    """Return the page, (1000, 1600, 3), higher where the model says what the film is like.

    No identity is drawn: the header carries it.
    """
    context = context_lines(request.outcome, _TEXT_WIDTH)
    page = canvas(WIDTH, HEIGHT + height_of(context))
    draw = ImageDraw.Draw(page)
    _draw_notice(draw, request.notice)
    if isinstance(request.outcome, Refusal):
        _draw_refusal(draw, request.outcome)
    else:
        _draw_prediction(page, draw, request, request.outcome, header)
    draw_context(draw, context, _MIDDLE, _FOOTER)
    _draw_footer(draw, request, header, _FOOTER + height_of(context))
    return np.asarray(page)


def _draw_notice(draw: ImageDraw.ImageDraw, notice: str) -> None:
    size = fitting_size(notice, 36, _TEXT_WIDTH, SMALLEST_TEXT)
    centred(draw, notice, (_MIDDLE, 38), size, NOTICE_YELLOW, bold=True)
    draw.line((_MARGIN, 70, WIDTH - _MARGIN, 70), fill=RULE, width=2)


def _draw_prediction(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    request: ReportRequest,
    prediction: Prediction,
    header: SourceHeader,
) -> None:
    draw_verdict(draw, prediction, _MIDDLE)
    draw_films(page, draw, request, prediction, header)


def _draw_refusal(draw: ImageDraw.ImageDraw, refusal: Refusal) -> None:
    centred(draw, NOT_PERFORMED, (_MIDDLE, 330), 76, WHITE, bold=True)
    lines = wrapped(sentence(refusal.reason), 38, _TEXT_WIDTH - 200, most=4)
    for number, line in enumerate(lines):
        centred(draw, line, (_MIDDLE, 440 + 52 * number), 38, WHITE)
    below = 440 + 52 * len(lines) + 20
    centred(
        draw,
        "No AI model has looked at this study. Its images are to be read as always.",
        (_MIDDLE, below),
        30,
        GREY,
    )
    centred(draw, f"reason code: {refusal.code}", (_MIDDLE, below + 54), 24, GREY)


def _draw_footer(draw: ImageDraw.ImageDraw, request: ReportRequest, header: SourceHeader, top: int) -> None:
    draw.line((_MARGIN, top, WIDTH - _MARGIN, top), fill=RULE, width=2)
    made_at = result_time(request, header).strftime("%Y-%m-%d %H:%M")
    first, second = _footer_words(request)
    lines = wrapped(f"{first}   |   {made_at}", SMALLEST_TEXT, _TEXT_WIDTH, most=1)
    lines += wrapped(second, SMALLEST_TEXT, _TEXT_WIDTH, most=2)
    for number, line in enumerate(lines):
        centred(draw, line, (_MIDDLE, top + 21 + 26 * number), SMALLEST_TEXT, GREY)


def _footer_words(request: ReportRequest) -> tuple[str, str]:
    outcome, equipment = request.outcome, request.equipment
    node = f"{equipment.model_name} {equipment.software_version}"
    if line := version_line(request):
        node = f"{node}   |   {line}"
    if isinstance(outcome, Refusal):
        return node, equipment.manufacturer
    method = f"   |   {outcome.card.explanation.meaning}" if outcome.card.explanation else ""
    return f"{model_line(outcome.card)}{method}   |   {node}", sentence(outcome.card.intended_use)
