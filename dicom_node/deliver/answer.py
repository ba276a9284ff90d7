"""What an HTTP answer of a FHIR server means."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import httpx

from dicom_node.deliver.bundle import Resource, objects, without_values

LATER = frozenset({408, 409, 425, 429})
"""Client errors after which the same bytes may be taken (RFC 9110 15.5, RFC 8470 5.2, RFC 6585 4)."""

NEVER = frozenset({501, 505, 510})
"""Server errors that stay: not implemented, HTTP version, not extended (RFC 9110 15.6, RFC 2774 7).

All others pass, those of proxies too, which are in no registry (520 to 527).
"""

COMPLAINT_MAX_LENGTH = 400
RETRY_AFTER_MAX_S = 86_400.0


def is_later(status_code: int) -> bool:
    """Return whether the same bytes may be taken later; after any other status but success a person is needed."""
    return status_code in LATER or (500 <= status_code <= 599 and status_code not in NEVER)


def reason(error: httpx.HTTPError) -> str:
    """Return why there is no answer; in words where nothing was said yet that they could repeat."""
    words = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) if isinstance(error, httpx.ConnectError) else ""
    return f"{type(error).__name__}: {' '.join(words.split())}" if words else type(error).__name__


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
