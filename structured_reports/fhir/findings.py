"""What the model says, as Observations."""

from __future__ import annotations

from inference.types import Prediction, Score
from structured_reports import codes
from structured_reports.fhir.scope import Scope
from structured_reports.fhir.terms import (
    AI_ASSERTED,
    AI_CONFIDENCE_EXTENSION,
    IMAGING,
    NEGATIVE,
    NOT_PERFORMED,
    POSITIVE,
    Json,
    coding,
    concept,
)  # fmt: skip
from structured_reports.port import Refusal
from structured_reports.reasons import reason
from structured_reports.text import score_line, sentence, verdict

_DIGITS = 6  # of a score: more is noise, and the text stays the same on every platform


def observations(scope: Scope, room: int) -> dict[str, Json]:
    """Return Observations by name: one per finding, or one for all where there is no room for that many."""
    outcome = scope.request.outcome
    if isinstance(outcome, Refusal):
        return {"observation": _refused(scope, outcome)}
    if len(outcome.scores) > room:
        return {"observation": _panel(scope, outcome)}
    return {f"observation {score.finding.name}": _finding(scope, score) for score in outcome.scores}


def _finding(scope: Scope, score: Score) -> Json:
    """Return one finding."""
    called = codes.POSITIVE if score.above else codes.NEGATIVE
    return {
        **_common(scope, score.finding.name, "preliminary"),
        "code": concept(score.finding.code),
        "valueCodeableConcept": {**concept(called), "text": verdict(score).capitalize()},
        "interpretation": [{"coding": [POSITIVE if score.above else NEGATIVE]}],
        "bodySite": concept(score.finding.site),
        "component": [
            {"code": concept(codes.SCORE), "valueQuantity": _percentage(score.score)},
            {"code": concept(codes.THRESHOLD), "valueQuantity": _percentage(score.finding.threshold)},
        ],
        "extension": [{"url": AI_CONFIDENCE_EXTENSION, "valueDecimal": round(score.score, _DIGITS)}],
    }


def _panel(scope: Scope, prediction: Prediction) -> Json:
    """Return all findings as components: some servers take no more than eight entries at once."""
    return {
        **_common(scope, "panel", "preliminary"),
        "code": concept(codes.DIAGNOSTIC_IMAGING),
        "component": [
            {
                "code": concept(score.finding.code),
                "valueQuantity": _percentage(score.score),
                "interpretation": [{"coding": [POSITIVE if score.above else NEGATIVE], "text": score_line(score)}],
            }
            for score in prediction.scores
        ],
    }


def _refused(scope: Scope, refusal: Refusal) -> Json:
    """Return that nothing was observed, and why."""
    own = {"system": scope.identifier("")["system"], "code": refusal.code}
    return {
        **_common(scope, "not-performed", "cancelled"),
        "code": concept(codes.DIAGNOSTIC_IMAGING),
        "dataAbsentReason": {
            "coding": [NOT_PERFORMED, coding(reason(refusal)), own],
            "text": sentence(refusal.reason),
        },
    }


def _common(scope: Scope, name: str, status: str) -> Json:
    common: Json = {
        "resourceType": "Observation",
        "meta": {"security": [AI_ASSERTED]},
        "identifier": [scope.identifier(f"observation/{scope.report_key}/{name}")],
        "status": status,
        "category": [{"coding": [IMAGING]}],
        "subject": scope.subject,
        "issued": scope.made_at,
        "device": scope.reference("device", "Device"),
        "derivedFrom": [scope.reference("study", "ImagingStudy")],
    }
    if scope.study_date:
        common["effectiveDateTime"] = scope.study_date
    return common


def _percentage(fraction: float) -> Json:
    value = round(fraction * 100, _DIGITS - 2)
    return {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
