"""The lowest part of the summary page: how like the film is to those that the model knows, and what to read."""

from __future__ import annotations

from inference.types import Familiarity, Prediction
from structured_reports.summary_layout import Block, gap, paragraph
from structured_reports.text import case_line
from structured_reports.typeset import GREY, WHITE

_MOST_LINES = 6  # the works of three findings, or three cases; the page grows with them


def context(prediction: Prediction) -> list[Block]:
    """Return what the page says of it; nothing where the model knows of nothing."""
    blocks = _likeness(prediction.familiarity) if prediction.familiarity else []
    if prediction.card.references:
        words = f"Literature: {'; '.join(prediction.card.references)}"
        blocks.append(paragraph(words, GREY, most=_MOST_LINES))
    return [gap(10), *blocks] if blocks else []


def _likeness(familiarity: Familiarity) -> list[Block]:
    """Return the distance, which says what the score is worth and stands out, and the nearest cases."""
    words = (
        f"Distance {familiarity.distance:.2f} from the films that the model knows "
        "(1.00 = the edge of what the model accepts)"
    )
    blocks = [paragraph(words, WHITE)]
    if familiarity.nearest:
        nearest = f"Most similar reference films: {'; '.join(map(case_line, familiarity.nearest))}"
        blocks.append(paragraph(nearest, GREY, most=_MOST_LINES))
    return blocks
