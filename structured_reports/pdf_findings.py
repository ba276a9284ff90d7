"""The findings of a result as rows of the printable page."""

from __future__ import annotations

from inference.types import Prediction, Score
from structured_reports.pdf_paper import BLACK, DARK, MARGIN_MM, WIDTH_MM, Paper, cut
from structured_reports.text import score_and_threshold, verdict

_MOST = 10
_ROW = 6.0
_SCORE, _THRESHOLD, _VERDICT = 110.0, 138.0, WIDTH_MM - MARGIN_MM


def draw_findings(paper: Paper, prediction: Prediction, top: float) -> float:
    """Draw a row a finding, the farthest above its threshold first; returns where they end."""
    scores = sorted(prediction.scores, key=lambda score: score.finding.threshold - score.score)
    _draw_row(paper, ("Finding", "AI score", "Threshold", "Result"), top, 8, DARK, bold=False)
    y = top
    for score in scores[:_MOST]:
        y += _ROW
        _draw_row(paper, _cells(score), y, 10.5, BLACK, bold=score.above)
    left = scores[_MOST:]
    if left:
        y += _ROW
        above = sum(score.above for score in left)
        words = f"{len(left)} more, {above} of them above their threshold: see the Structured Report"
        paper.text(words, MARGIN_MM, y, 9, bold=above > 0)
    return y


def _cells(score: Score) -> tuple[str, str, str, str]:
    found, threshold = score_and_threshold(score)
    # Capital words, not colour: the page may come from a black and white printer
    return score.finding.name.capitalize(), found, threshold, verdict(score)


def _draw_row(
    paper: Paper, cells: tuple[str, str, str, str], y: float, size: float, grey: float, *, bold: bool
) -> None:
    name, score, threshold, result = cells
    paper.text(cut(name, size, 70, bold=bold), MARGIN_MM, y, size, bold=bold, grey=grey)
    for words, end in ((score, _SCORE), (threshold, _THRESHOLD), (result, _VERDICT)):
        paper.text_to(words, end, y, size, bold=bold, grey=grey)
