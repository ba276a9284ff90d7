"""What an HTTP answer of a FHIR server means."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx

from dicom_node.deliver.bundle import Resource, objects, without_values

LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same bytes may be taken; all others but success need a person."""

COMPLAINT_MAX_LENGTH = 400
RETRY_AFTER_MAX_S = 86_400.0


def is_later(status_code: int) -> bool:
    return status_code in LATER


def retry_after_s(response: httpx.Response) -> float | None:
    """Return the wait that the server asks for, a day at most; None where it names none (RFC 9110 10.2.3)."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return min(float(asked), RETRY_AFTER_MAX_S)
    try:
        # Against the server's own Date: its clock and ours need not agree.
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return min(max(wait.total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def resource_of(response: httpx.Response) -> Resource:
    """Return the resource in the answer, empty where there is none: a proxy may answer with a page."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def complaint(response: httpx.Response, bundle: Resource) -> str:
    """Return what the OperationOutcome says, without values of the bundle; empty where there is none."""
    outcome = resource_of(response)
    if outcome.get("resourceType") != "OperationOutcome":
        return ""
    text = without_values("; ".join(_spoken(issue) for issue in objects(outcome, "issue")), bundle)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return f": {printable[:COMPLAINT_MAX_LENGTH]}"


def _spoken(issue: Resource) -> str:
    where = issue.get("expression") or issue.get("location")
    details = issue.get("details")
    text = issue.get("diagnostics") or (details.get("text") if isinstance(details, dict) else "")
    at = f"at {', '.join(map(str, where))}" if isinstance(where, list) else ""
    return " ".join(str(words) for words in (issue.get("code"), text, at) if words)
