"""The printable page: notice, whose it is, findings, films, and what the result is worth. One page, always."""

from __future__ import annotations

from inference.types import Familiarity, Prediction
from structured_reports.envelope import result_time
from structured_reports.header import SourceHeader
from structured_reports.pdf_films import draw_films
from structured_reports.pdf_findings import draw_findings
from structured_reports.pdf_identity import identity
from structured_reports.pdf_paper import (
    DARK,
    HEIGHT_MM,
    MARGIN_MM,
    WIDTH_MM,
    Paper,
    cut,
    is_printable,
    width_of,
    wrapped,
)
from structured_reports.port import ReportRequest
from structured_reports.text import case_line, model_line, sentence, version_line

_MIDDLE = WIDTH_MM / 2
_TEXT_WIDTH = WIDTH_MM - 2 * MARGIN_MM
_SECOND_COLUMN = 112.0
_SMALL, _LINE = 8.0, 3.9  # points and millimeters
_FOOTER = HEIGHT_MM - MARGIN_MM
_LEAST_OF_FILMS = 55.0  # with captions and distances
_UNVERIFIED = "Preliminary result of software, not verified by a physician. Read the source image first."


def page(request: ReportRequest, prediction: Prediction, header: SourceHeader, title: str) -> bytes:
    """Return the page as a PDF; the same request gives the same bytes."""
    paper = Paper(title, request.equipment.model_name)
    _draw_notice(paper, request.notice)
    made_at = result_time(request, header).isoformat(" ", "minutes")
    paper.text(cut(title, 14, 125, bold=True), MARGIN_MM, 39, 14, bold=True)
    paper.text_to(f"Result of {made_at}", WIDTH_MM - MARGIN_MM, 39, 9, grey=DARK)
    _draw_identity(paper, header)
    context = _context(request, prediction, header)
    top = _FOOTER - _LINE * len(context)
    below = draw_findings(paper, prediction, 76, top - _LEAST_OF_FILMS)
    draw_films(paper, request, prediction, header, below + 5, top - 5)
    _draw_context(paper, context, top)
    return paper.content()


def _draw_notice(paper: Paper, notice: str) -> None:
    paper.box(MARGIN_MM, 14)
    size = min(14.0, 14.0 * (_TEXT_WIDTH - 8) / max(width_of(notice, 14, bold=True), 1.0))
    paper.centred(notice, _MIDDLE, MARGIN_MM + 6, size, bold=True)
    paper.centred(_UNVERIFIED, _MIDDLE, MARGIN_MM + 11.3, 9)


def _draw_identity(paper: Paper, header: SourceHeader) -> None:
    paper.rule(43)
    for number, (label, value) in enumerate(identity(header)):
        column, y = (MARGIN_MM, _SECOND_COLUMN)[number % 2], 49.5 + 7 * (number // 2)
        paper.text(label, column, y, _SMALL, grey=DARK)
        # A name that is cut is another name: it gets smaller first
        width = 72.0
        size = max(6.0, min(10.0, 10.0 * width / max(width_of(value, 10, bold=True), 1.0)))
        paper.text(cut(value, size, width, bold=True), column + 18, y, size, bold=True)
    paper.rule(68)


def _context(request: ReportRequest, prediction: Prediction, header: SourceHeader) -> list[str]:
    """Return the lines below the films: what made the result, and what to read about it."""
    card, equipment = prediction.card, request.equipment
    method = f", map: {card.explanation.meaning}" if card.explanation else ""
    replaces = version_line(request)
    paragraphs = [
        *([(f"{replaces}.", 1)] if replaces else []),
        (f"Model: {model_line(card)} by {card.manufacturer}{method}. Weights sha256 {card.digest}", 2),
        (f"Intended use: {sentence(card.intended_use)}", 3),
        *_likeness(prediction.familiarity),
        *([(f"Literature: {'; '.join(card.references)}", 6)] if card.references else []),
        (f"Source image: {header.text.SOPInstanceUID}", 1),
        (f"Made by {equipment.model_name} {equipment.software_version}, {equipment.manufacturer}. Page 1 of 1", 1),
    ]
    return [line for words, most in paragraphs for line in wrapped(_shown(words), _SMALL, _TEXT_WIDTH, most)]


def _likeness(familiarity: Familiarity | None) -> list[tuple[str, int]]:
    if familiarity is None:
        return []
    edge = "1.00 = the edge of what the model accepts"
    lines = [(f"Distance {familiarity.distance:.2f} from the films that the model knows ({edge})", 1)]
    if familiarity.nearest:
        lines.append((f"Most similar reference films: {'; '.join(map(case_line, familiarity.nearest))}", 3))
    return lines


def _shown(words: str) -> str:
    """Return words of a card with a question mark for each sign that the page cannot show."""
    return "".join(sign if is_printable(sign) else "?" for sign in words)


def _draw_context(paper: Paper, lines: list[str], top: float) -> None:
    paper.rule(top - 3.5)
    for number, line in enumerate(lines):
        paper.text(line, MARGIN_MM, top + _LINE * (number + 0.5), _SMALL, grey=DARK)
