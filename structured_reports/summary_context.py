"""The lowest part of the summary page: how like the film is to those that the model knows, and what to read."""

from __future__ import annotations

from PIL import ImageDraw

from inference.types import Familiarity, Prediction, ReferenceCase
from structured_reports.port import Refusal
from structured_reports.typeset import GREY, WHITE, centred, wrapped

_SIZE = 22
_LINE = 28


def context_lines(outcome: Prediction | Refusal, width: float) -> list[str]:
    """Return what the page says of it, in lines of at most `width`; none where the model knows of nothing."""
    if isinstance(outcome, Refusal):
        return []
    lines = _likeness(outcome.familiarity, width) if outcome.familiarity else []
    if outcome.card.references:
        lines += wrapped(f"Literature: {'; '.join(outcome.card.references)}", _SIZE, width, most=2)
    return lines


def height_of(lines: list[str]) -> int:
    """Return how many pixels high the lines are."""
    return _LINE * len(lines)


def draw_context(draw: ImageDraw.ImageDraw, lines: list[str], middle: float, top: float) -> None:
    """Draw the lines; the first, which says what the score is worth, stands out."""
    for number, line in enumerate(lines):
        centred(draw, line, (middle, top + _LINE * (number + 0.5)), _SIZE, GREY if number else WHITE)


def _likeness(familiarity: Familiarity, width: float) -> list[str]:
    words = (
        f"Distance {familiarity.distance:.2f} from the films that the model knows "
        "(1.00 = the edge of what the model accepts)"
    )
    lines = wrapped(words, _SIZE, width, most=1)
    if familiarity.nearest:
        nearest = "; ".join(map(_case, familiarity.nearest))
        lines += wrapped(f"Most similar reference films: {nearest}", _SIZE, width, most=2)
    return lines


def _case(case: ReferenceCase) -> str:
    return f"{case.label} ({case.source}, similarity {case.similarity:.2f})"
