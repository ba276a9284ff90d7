"""The result as a page that an EHR shows."""

from __future__ import annotations

from html import escape

from inference.types import Prediction, Score
from structured_reports.fhir.scope import Scope
from structured_reports.port import Refusal
from structured_reports.text import NOT_PERFORMED, model_line, score_and_threshold, sentence, verdict

_STYLE = "border-collapse:collapse;font-family:sans-serif"
_CELL = "border:1px solid #999;padding:4px 10px;text-align:left"


def fragment(scope: Scope) -> str:
    """Return the result as XHTML without identity, one ``div`` (FHIR R4, Narrative)."""
    outcome = scope.request.outcome
    body = _refusal(outcome) if isinstance(outcome, Refusal) else _scores(outcome)
    objects = "".join(f"<li>{escape(o.kind)}: {escape(o.uid)}</li>" for o in scope.built.values())
    listed = f"<p>DICOM objects in the study:</p><ul>{objects}</ul>" if objects else ""
    notice = escape(scope.request.notice)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><h2>{notice}</h2>{body}{listed}</div>'


def page(scope: Scope) -> bytes:
    """Return the fragment as a whole page."""
    head = '<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>'
    return f"{head}<title>AI result</title></head><body>{fragment(scope)}</body></html>".encode()


def _refusal(refusal: Refusal) -> str:
    reason = f"{escape(sentence(refusal.reason))} (code {escape(refusal.code)})"
    return f"<p><b>{NOT_PERFORMED}</b></p><p>{reason}</p>"


def _scores(prediction: Prediction) -> str:
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("Finding", "AI score", "Threshold", "Result"))
    rows = "".join(_row(score) for score in prediction.scores)
    card = prediction.card
    return (
        f'<table style="{_STYLE}"><tr>{head}</tr>{rows}</table>'
        f"<p>{escape(model_line(card))}. {escape(sentence(card.intended_use))}</p>"
    )


def _row(score: Score) -> str:
    cells = (score.finding.name.capitalize(), *score_and_threshold(score), verdict(score).lower())
    return "<tr>" + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in cells) + "</tr>"
