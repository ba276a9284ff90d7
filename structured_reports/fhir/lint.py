"""Faults of a bundle that the models of fhir.resources let through."""

from __future__ import annotations

import re
from collections.abc import Iterator

from structured_reports.fhir.terms import Json, JsonValue

_URN_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9]\d*))+")
UPDATED = ("DiagnosticReport", "Observation")
"""What a later version of a result changes at the server."""

_RETIRED_SYSTEM = re.compile(r"http://hl7\.org/fhir/v[23]/")  # moved to terminology.hl7.org with R4

# Value sets with a required binding (FHIR R4), which the models do not check
_STATUSES = {
    "Observation": {"preliminary", "amended", "corrected", "cancelled", "entered-in-error"},
    "DiagnosticReport": {"preliminary", "amended", "corrected", "cancelled", "entered-in-error"},
    "ImagingStudy": {"available"},
    "Device": {"active"},
}  # less than FHIR allows: the node signs nothing, so never "final"


def faults(bundle: Json) -> list[str]:
    """Return what is wrong, in words that name the place; empty for a bundle that may be sent."""
    entries = bundle.get("entry", [])
    types = {entry.get("fullUrl", ""): entry["resource"]["resourceType"] for entry in entries}
    found = [] if bundle.get("type") == "transaction" else ["type: only a transaction resolves urn:uuid references"]
    if len(types) != len(entries):
        found.append("fullUrl: not unique (bdl-7)")
    for entry in entries:
        found += [f"{entry['resource']['resourceType']}.{fault}" for fault in _entry_faults(entry, types)]
    return found


def _entry_faults(entry: Json, types: dict[str, str]) -> Iterator[str]:
    resource, request = entry["resource"], entry.get("request", {})
    if not _URN_UUID.fullmatch(entry.get("fullUrl", "")):
        yield "fullUrl: not a urn:uuid in lower case (RFC 9562)"
    yield from _request_faults(resource["resourceType"], request)
    status = resource.get("status")
    if status not in _STATUSES.get(resource["resourceType"], {status}):
        yield f"status: {status!r} is not what a node may say"
    if resource["resourceType"] == "Observation":
        yield from _observation_faults(resource)
    for place, value in _walk(resource, ""):
        yield from _value_faults(place, value, types)


def _request_faults(kind: str, request: Json) -> Iterator[str]:
    address, _, condition = request.get("url", "").partition("?")
    if request.get("method") == "PUT":
        # Without the status an update would set back what a person has signed
        if kind not in UPDATED or "identifier=" not in condition or "&status=" not in condition:
            yield "request: an update of a resource that this node does not own, or of one in any status"
    elif request.get("method") != "POST" or not request.get("ifNoneExist") or condition:
        yield "request: neither conditional nor a creation; sent twice it would make two"
    if address != kind:
        yield f"request.url: {request.get('url')!r} is not the type of the resource"


def _observation_faults(observation: Json) -> Iterator[str]:
    has_value = any(key.startswith("value") for key in observation)
    if has_value and "dataAbsentReason" in observation:
        yield "dataAbsentReason: beside a value (obs-6)"
    own = {_key(coding) for coding in observation.get("code", {}).get("coding", [])}
    parts = {_key(c) for part in observation.get("component", []) for c in part["code"].get("coding", [])}
    if has_value and own & parts:
        yield "component.code: equal to code beside a value (obs-7)"


def _value_faults(place: str, value: JsonValue, types: dict[str, str]) -> Iterator[str]:
    if value in ("", [], {}, None):
        yield f"{place}: empty (ele-1)"
    if isinstance(value, str) and value.startswith("urn:oid:") and not _OID.fullmatch(value):
        yield f"{place}: not an OID"
    if not isinstance(value, dict):
        return
    if _RETIRED_SYSTEM.match(str(value.get("system", ""))):
        yield f"{place}.system: retired with R4"
    target = str(value.get("reference", ""))
    if target.startswith("urn:"):
        if target not in types:
            yield f"{place}: refers to no entry of the bundle"
        elif value.get("type", types[target]) != types[target]:
            yield f"{place}: refers to {types[target]}, says {value['type']}"


def _walk(value: JsonValue, place: str) -> Iterator[tuple[str, JsonValue]]:
    """Yield every value below, with the path to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        below = f"{place}.{key}".lstrip(".")
        yield below, child
        yield from _walk(child, below)


def _key(coding: Json) -> tuple[str, str]:
    return coding.get("system", ""), coding.get("code", "")
