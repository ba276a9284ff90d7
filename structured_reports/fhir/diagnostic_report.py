"""The report that a person may read, and only a person may sign."""

from __future__ import annotations

import base64
import hashlib

from inference.types import Prediction
from structured_reports import codes
from structured_reports.fhir.narrative import fragment, page
from structured_reports.fhir.scope import Scope
from structured_reports.fhir.terms import (
    AI_ASSERTED,
    ALTERNATE_REFERENCE,
    RADIOLOGY,
    RADIOLOGY_LOINC,
    Json,
    concept,
)  # fmt: skip
from structured_reports.port import Refusal
from structured_reports.text import conclusion


def diagnostic_report(scope: Scope, observation_names: list[str]) -> Json:
    """Return the report: preliminary, since no person has signed it; cancelled where nothing was read."""
    outcome = scope.request.outcome
    accession = scope.accession
    report: Json = {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [AI_ASSERTED]},
        "text": {"status": "generated", "div": fragment(scope)},
        "extension": [{"url": ALTERNATE_REFERENCE, "valueReference": scope.reference("device", "Device")}],
        "identifier": [scope.identifier(f"report/{scope.report_key}"), *([accession] if accession else [])],
        "status": "cancelled" if isinstance(outcome, Refusal) else "preliminary",
        "category": [{"coding": [RADIOLOGY]}, {"coding": [RADIOLOGY_LOINC]}],
        "code": concept(codes.DIAGNOSTIC_IMAGING),
        "subject": scope.subject,
        "issued": scope.made_at,
        "result": [scope.reference(name, "Observation") for name in observation_names],
        "imagingStudy": [scope.reference("study", "ImagingStudy")],
        "conclusion": conclusion(scope.request),
        "presentedForm": [_attachment(scope)],
    }
    if accession:
        report["basedOn"] = [{"type": "ServiceRequest", "identifier": accession}]
    if scope.study_date:
        report["effectiveDateTime"] = scope.study_date
    if isinstance(outcome, Prediction) and (called := [s for s in outcome.scores if s.above]):
        report["conclusionCode"] = [concept(score.finding.code) for score in called]
    return report


def _attachment(scope: Scope) -> Json:
    html = page(scope)
    return {
        "contentType": "text/html",
        "language": "en",
        "data": base64.b64encode(html).decode(),
        "size": len(html),
        "hash": base64.b64encode(hashlib.sha1(html).digest()).decode(),  # noqa: S324  Attachment.hash is SHA-1
        "title": "AI result",
        "creation": scope.made_at,
    }
