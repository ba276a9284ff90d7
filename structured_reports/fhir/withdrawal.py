"""Takes a report back: the resources of a recorded bundle as entered in error."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from html import escape

from structured_reports.fhir.bundle import check, result_of
from structured_reports.fhir.scope import token
from structured_reports.fhir.terms import Json
from structured_reports.fhir.versions import WITHDRAWN, conditional_update
from structured_reports.port import ResultObject

# What was said is no longer said anywhere in the report; the Observations keep their values under the status
_RETRACTED = ("conclusionCode", "presentedForm", "media")


def withdrawn_bundle(recorded: bytes, words: str, at: datetime) -> ResultObject:
    """Return the transaction that withdraws what a recorded bundle stored.

    Parameters
    ----------
    recorded
        The bundle as it was sent.
    words
        Why, for people.
    at
        Time of the withdrawal with time zone.

    Raises
    ------
    FhirInvalidError
        It breaks a rule of FHIR R4.
    """
    bundle = json.loads(recorded)
    for entry in bundle["entry"]:
        _withdraw(entry, words, at.isoformat(timespec="seconds"))
    check(bundle)
    return result_of(bundle)


def _withdraw(entry: Json, words: str, at: str) -> None:
    resource = entry["resource"]
    if resource["resourceType"] in ("DiagnosticReport", "Observation"):
        resource["status"] = WITHDRAWN
        entry["request"] = conditional_update(resource)
    if resource["resourceType"] == "DiagnosticReport":
        for element in _RETRACTED:
            resource.pop(element, None)
        text = f"AI RESULT WITHDRAWN - DO NOT USE. {words}"
        resource["conclusion"], resource["issued"] = text, at
        div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text)}</p></div>'
        resource["text"] = {"status": "generated", "div": div}
    if resource["resourceType"] == "Provenance":
        resource["recorded"] = at
        tag = resource["meta"]["tag"][0]
        tag["code"] = hashlib.sha256(f"{tag['code']}\nwithdrawn {at}".encode()).hexdigest()
        entry["request"]["ifNoneExist"] = f"_tag={token(tag, 'code')}"
