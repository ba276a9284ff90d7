"""One page that says everything, for viewers that show nothing else of a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from inference.types import Prediction
from structured_reports.envelope import SUMMARY, result_time
from structured_reports.header import SourceHeader, read_header
from structured_reports.part10 import sealed
from structured_reports.port import Refusal, ReportRequest, ResultObject
from structured_reports.secondary_capture import secondary_capture
from structured_reports.summary_context import context
from structured_reports.summary_films import films
from structured_reports.summary_findings import other_findings
from structured_reports.summary_layout import (
    BETWEEN_CORNERS,
    WIDTH,
    Block,
    gap,
    page_of,
    paragraph,
    rule,
)
from structured_reports.summary_verdict import verdict_blocks
from structured_reports.text import NOT_PERFORMED, model_line, sentence, version_line, who_looked
from structured_reports.typeset import GREY, NOTICE_YELLOW, WHITE, fitting_size, png


def summary(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
    """Return the summary page, for every outcome: silence would look like a negative."""
    header = read_header(request.source)
    picture = summary_picture(request, header)
    dataset = secondary_capture(request, header, SUMMARY, picture, "Summary page of an AI result")
    return sealed(SUMMARY.kind, dataset, header, png(picture, WIDTH))


def summary_picture(request: ReportRequest, header: SourceHeader) -> NDArray[np.uint8]:
    """Return the page, (1000 or more, 1600, 3), as high as its words need.

    No identity is drawn: the header carries it.
    """
    upper = [_notice(request.notice), rule()]
    if isinstance(request.outcome, Refusal):
        upper += _refusal(request.outcome)
    else:
        upper += _prediction(request, request.outcome, header)
    return np.asarray(page_of(upper, list(_footer(request, header))))


def _notice(notice: str) -> Block:
    size = fitting_size(notice, 36, BETWEEN_CORNERS, 28)
    return paragraph(notice, NOTICE_YELLOW, size, BETWEEN_CORNERS, bold=True)


def _prediction(request: ReportRequest, prediction: Prediction, header: SourceHeader) -> list[Block]:
    return [
        *verdict_blocks(prediction),
        *films(request, header),
        *other_findings(prediction),
        *context(prediction),
    ]


def _refusal(refusal: Refusal) -> list[Block]:
    return [
        gap(110),
        paragraph(NOT_PERFORMED, WHITE, 76, bold=True),
        gap(20),
        paragraph(sentence(refusal.reason), WHITE, 38, 1280),
        gap(20),
        paragraph(f"{who_looked(refusal)} The images are to be read as always.", GREY, 30),
        gap(14),
        paragraph(f"reason code: {refusal.code}", GREY, 24),
    ]


def _footer(request: ReportRequest, header: SourceHeader) -> Iterator[Block]:
    """Yield when and by what the page was made: first what must not be cut, then what a long name may make longer."""
    equipment = request.equipment
    made_at = result_time(request, header).isoformat(" ", "minutes")
    yield rule()
    for words in (
        f"{made_at}   |   {equipment.model_name} {equipment.software_version}",
        version_line(request),
        *_origin(request),
    ):
        if words:
            yield paragraph(words, GREY, width=BETWEEN_CORNERS)


def _origin(request: ReportRequest) -> tuple[str, str]:
    outcome = request.outcome
    if isinstance(outcome, Refusal):
        return request.equipment.manufacturer, ""
    method = f"   |   {outcome.card.explanation.meaning}" if outcome.card.explanation else ""
    return f"{model_line(outcome.card)}{method}", sentence(outcome.card.intended_use)
