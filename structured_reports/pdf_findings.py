"""The findings of a result on the printable page: rows, and below them in small print what has no room as a row."""

from __future__ import annotations

from inference.types import Prediction, Score
from structured_reports.pdf_paper import BLACK, DARK, MARGIN_MM, WIDTH_MM, Paper, wrapped
from structured_reports.text import score_and_threshold, verdict

_MOST = 10
_LAST_ROW = 140.0  # millimeters from the upper edge
_ROW, _LINE = 6.0, 4.5
_NAME_WIDTH = 70.0
_SCORE, _THRESHOLD, _VERDICT = 110.0, 138.0, WIDTH_MM - MARGIN_MM
_SIZE = 10.5
_SMALL_SIZES = (9.0, 8.0, 7.0, 6.0)
_LINE_BY_SIZE = 0.48  # millimeters a point


def draw_findings(paper: Paper, prediction: Prediction, top: float, bottom: float) -> float:
    """Draw the findings, the farthest above its threshold first; returns where they end, before `bottom`.

    Those above their threshold are all named. Of more than forty the last may have no room: their number says so.
    """
    left = sorted(prediction.scores, key=lambda score: score.finding.threshold - score.score)
    paper.text("Finding", MARGIN_MM, top, 8, grey=DARK)
    _draw_cells(paper, ("AI score", "Threshold", "Result"), top, 8, DARK, bold=False)
    y, rows = top, 0
    while left and rows < _MOST and y < _LAST_ROW:
        y, rows = _draw_row(paper, left.pop(0), y + _ROW), rows + 1
    above = [score for score in left if score.above]
    if above:
        y = _draw_small(paper, above, y + 1, bottom - _LINE)
    if len(left) > len(above):
        y += _LINE
        paper.text(f"{len(left) - len(above)} more below their threshold: see the Structured Report", MARGIN_MM, y, 9)
    return y


def _draw_small(paper: Paper, above: list[Score], y: float, bottom: float) -> float:
    size, lines = small_print(above, bottom - y)
    for line in lines:
        y += size * _LINE_BY_SIZE
        paper.text(line, MARGIN_MM, y, size, bold=True)
    return y


def small_print(above: list[Score], height: float) -> tuple[float, list[str]]:
    """Return size and lines that name as many findings as `height` millimeters have room for, and count the others."""
    entries = [_words(score) for score in above]
    for size in _SMALL_SIZES:
        lines = _wrapped(entries, 0, size)
        if len(lines) * size * _LINE_BY_SIZE <= height:
            return size, lines
    for left_out in range(1, len(entries)):
        lines = _wrapped(entries[:-left_out], left_out, size)
        if len(lines) * size * _LINE_BY_SIZE <= height:
            break
    return size, lines


def _wrapped(entries: list[str], left_out: int, size: float) -> list[str]:
    words = f"Also above threshold: {', '.join(entries)}"
    if left_out:
        words += f", and {left_out} more above their threshold: see the Structured Report"
    return wrapped(words, size, WIDTH_MM - 2 * MARGIN_MM, bold=True)


def _words(score: Score) -> str:
    found, threshold = score_and_threshold(score)
    return f"{score.finding.name} {found} (threshold {threshold})"


def _draw_row(paper: Paper, score: Score, y: float) -> float:
    """Draw a finding; a long name takes more lines. Returns where it ends."""
    lines = wrapped(score.finding.name.capitalize(), _SIZE, _NAME_WIDTH, bold=score.above)
    for number, line in enumerate(lines):
        paper.text(line, MARGIN_MM, y + _LINE * number, _SIZE, bold=score.above)
    # Capital words, not colour: the page may come from a black and white printer
    _draw_cells(paper, (*score_and_threshold(score), verdict(score)), y, _SIZE, BLACK, bold=score.above)
    return y + _LINE * (len(lines) - 1)


def _draw_cells(paper: Paper, cells: tuple[str, str, str], y: float, size: float, grey: float, *, bold: bool) -> None:
    for words, end in zip(cells, (_SCORE, _THRESHOLD, _VERDICT), strict=True):
        paper.text_to(words, end, y, size, bold=bold, grey=grey)
