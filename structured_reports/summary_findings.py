"""What else the model looked for: every finding above its threshold, whatever their number, and the rest in a line."""

from __future__ import annotations

from PIL import Image, ImageDraw

from inference.types import Prediction, Score
from structured_reports.selection import leading_score
from structured_reports.summary_layout import LINE, MARGIN, SMALLEST_TEXT, TEXT_WIDTH, Block, gap, paragraph
from structured_reports.text import score_and_threshold
from structured_reports.typeset import AMBER, GREY, from_left, wrapped

_BETWEEN_COLUMNS = 40
_MOST_IN_TWO_COLUMNS = 24


def other_findings(prediction: Prediction) -> list[Block]:
    """Return the findings beside the leading one, the farthest above its threshold first; none is left out."""
    leading = leading_score(prediction)
    others = sorted(
        (score for score in prediction.scores if score is not leading),
        key=lambda score: score.finding.threshold - score.score,
    )
    called = [score for score in others if score.above]
    below = [score for score in others if not score.above]
    blocks = [gap(10), paragraph("Also above threshold", AMBER, 24, bold=True), _columns(called)] if called else []
    if below:
        listed = ", ".join(map(_words, below))
        blocks += [gap(10), paragraph(f"Below threshold: {listed}", GREY)]
    return blocks


def _words(score: Score) -> str:
    found, threshold = score_and_threshold(score)
    return f"{score.finding.name} {found} (threshold {threshold})"


def _columns(scores: list[Score]) -> Block:
    """Return one finding a row in columns, the first column filled first; a long name takes two lines."""
    count = 2 if len(scores) <= _MOST_IN_TWO_COLUMNS else 3
    width = (TEXT_WIDTH - (count - 1) * _BETWEEN_COLUMNS) // count
    entries = [wrapped(_words(score), SMALLEST_TEXT, width) for score in scores]
    rows = -(-len(entries) // count)
    columns = [entries[rows * number : rows * (number + 1)] for number in range(count)]
    height = LINE * max(sum(map(len, column)) for column in columns)

    def draw(page: Image.Image, top: int) -> None:
        for number, column in enumerate(columns):
            left = MARGIN + number * (width + _BETWEEN_COLUMNS)
            for place, line in enumerate(line for entry in column for line in entry):
                at = (left, top + LINE * (place + 0.5))
                from_left(ImageDraw.Draw(page), line, at, SMALLEST_TEXT, AMBER)

    return Block(height, draw)
