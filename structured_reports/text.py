"""The words of a result, the same on a picture, in an SR and in FHIR.

Never "normal" or "no pneumonia": a score below its threshold is that and nothing more. Never "probability".
"""

from __future__ import annotations

from inference.types import ModelCard, Prediction, Score
from structured_reports.port import Refusal, ReportRequest

NOT_PERFORMED = "AI NOT PERFORMED"
NOT_AN_OUTLINE = "not a lesion outline"


def percent(fraction: float) -> str:
    """Return a fraction in whole percent, on the side of the threshold where it is.

    Rounding alone would print 49.6 % as the threshold of 50 %, below which it is.
    """
    return f"{int(fraction * 100 + 1e-9)} %"


def verdict(score: Score) -> str:
    """Return what a score means."""
    return "ABOVE THRESHOLD" if score.above else "BELOW THRESHOLD"


def score_line(score: Score) -> str:
    """Return finding, score, threshold and verdict in one line."""
    finding = score.finding
    return (
        f"{finding.name.capitalize()}: AI score {percent(score.score)}, "
        f"threshold {percent(finding.threshold)}, {verdict(score).lower()}"
    )


def conclusion(request: ReportRequest) -> str:
    """Return the whole result in words, beginning with the notice."""
    outcome = request.outcome
    if isinstance(outcome, Refusal):
        return f"{request.notice}. {NOT_PERFORMED}: {sentence(outcome.reason)}"
    lines = "; ".join(score_line(score) for score in outcome.scores)
    return f"{request.notice}. {lines}."


def sentence(words: str) -> str:
    """Return `words` with a capital and a full stop."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def model_line(card: ModelCard) -> str:
    """Return name and version of a model."""
    return f"{card.name} {card.version}"


def findings_line(outcome: Prediction | Refusal) -> str:
    """Return what a result is about, short enough for the label of a series."""
    if isinstance(outcome, Refusal):
        return "not performed"
    return ", ".join(score.finding.name for score in outcome.scores)


def fitted(words: str, limit: int) -> str:
    """Return `words` within `limit` characters (PS3.5 6.2: 64 for LO, 16 for SH), cut visibly."""
    return words if len(words) <= limit else words[: limit - 3].rstrip() + "..."
