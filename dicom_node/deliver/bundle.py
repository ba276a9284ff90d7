"""What delivery reads in a FHIR bundle; the bundle itself is sent as it was recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

Resource = dict[str, Any]
"""A FHIR resource, or an element of one, as it was parsed."""

STRUCTURAL_KEYS = frozenset({"resourceType", "type", "method", "system", "status", "code", "use", "unit"})
"""Elements that hold words of the specification or of a code system, which an answer may repeat."""

TYPES = frozenset(
    {
        "Binary",
        "Bundle",
        "Device",
        "DiagnosticReport",
        "ImagingStudy",
        "Observation",
        "OperationOutcome",
        "Organization",
        "Patient",
        "Practitioner",
        "Provenance",
    }
)
"""Resource types that a server may name."""

CONDITIONAL_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")


def parsed(content: bytes) -> Resource:
    """Return the bundle.

    Raises
    ------
    ValueError
        Not a JSON object with entries.
    """
    bundle = json.loads(content)
    if not isinstance(bundle, dict) or not objects(bundle, "entry"):
        raise ValueError("not a bundle with entries")
    return bundle


def objects(resource: Resource, element: str) -> list[Resource]:
    """Return the objects of a repeating element, whatever else a peer may have put there."""
    values = resource.get(element)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def conditional_references(bundle: Resource) -> list[tuple[str, str]]:
    """Return type and query of each reference that the server resolves by a search (R4 3.1.0.11.3), once."""
    found = (
        (match[1], match[2])
        for key, text in _strings(bundle)
        if key == "reference" and (match := CONDITIONAL_REFERENCE.fullmatch(text))
    )
    return list(dict.fromkeys(found))


def updated_reports(bundle: Resource) -> list[str]:
    """Return the search for each report that the bundle changes, by its identifier in whatever status it is."""
    requests = [entry.get("request") or {} for entry in objects(bundle, "entry")]
    urls = [str(one.get("url", "")) for one in requests if one.get("method") == "PUT"]
    return [url.partition("?")[2].partition("&")[0] for url in urls if url.startswith("DiagnosticReport?")]


def imaging_study_uid(bundle: Resource) -> str:
    """Return the Study Instance UID that the bundle is about, or an empty string."""
    for resource in resources(bundle):
        if resource.get("resourceType") == "ImagingStudy":
            for identifier in objects(resource, "identifier"):
                if identifier.get("system") == "urn:dicom:uid":
                    return str(identifier.get("value", "")).removeprefix("urn:oid:")
    for resource_type, query in conditional_references(bundle):
        if resource_type == "ImagingStudy" and "urn:oid:" in unquote_plus(query):
            return unquote_plus(query).partition("urn:oid:")[2].partition("&")[0]
    return ""


def is_found_by(resource: Resource, query: str) -> bool:
    """Return whether a resource has the identifier that a search asks for, or does not show any."""
    shown = [one.get("value") for one in objects(resource, "identifier")]
    # A comma is an "or" to who does not know its escape (R4 3.1.1.4.0.1), and a part of an ID is another's.
    return not shown or unescaped(query) in shown


def unescaped(query: str) -> str:
    """Return the value of a search by ``identifier=system|value``."""
    token = unquote_plus(query.partition("identifier=")[2].partition("&")[0])
    _, bar, value = re.sub(r"\\\|", "\0", token).partition("|")
    return re.sub(r"\\(.)", r"\1", (value if bar else token).replace("\0", r"\|"))


def report_entry(bundle: Resource) -> int:
    """Return the index of the entry that people ask for: the report, else the first."""
    types = [resource.get("resourceType") for resource in resources(bundle)]
    return types.index("DiagnosticReport") if "DiagnosticReport" in types else 0


def without_values(text: str, bundle: Resource) -> str:
    """Return a server's words without what may be about a person.

    Left are words in small letters of the English alphabet that are no value of the bundle, some of a specification,
    paths of elements, numbers of three digits at most, and the numbers of HAPI's messages: what a server writes with a
    capital, another letter or a digit may be a name, an ID or a date in a spelling that the bundle does not have.
    """
    strings = (string for key, string in _strings(bundle) if key not in STRUCTURAL_KEYS)
    values = {value for string in strings for value in _values(string) if len(value) >= 2} - TYPES
    for value in sorted(values, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<!HAPI-)(?<!\d)\d[\d./:-]{3,}", "…", text)
    return re.sub(r"…(?: …)+", "…", _WORD.sub(_masked, text))


_WORD = re.compile(r"""[^\s"'(),:]+""")
_HARMLESS = re.compile(
    r"[a-z]+(?:[-/+.][a-z]+)*(?:\.[A-Z][A-Za-z]+(?:Error|Exception))?|\d{1,3}|HAPI-\d{4}|urn|https?"
    r"|Bad|Cannot|Conflict|Could|Duplicate|Error|Exception|Expected|Failed|Forbidden|Invalid|Missing|No|Not|Resource"
    r"|Resources|Server|The|There|This|Unable|Unauthorized|Unexpected|Unknown|Unsupported|Unprocessable|Value"
    r"|DELETE|FHIR|GET|HEAD|HTTP|JSON|PATCH|POST|PUT|URI|URL|UUID|XML|Accept|Content-Type|If-Match|If-None-Exist"
)
_PATH = re.compile(r"([A-Z][A-Za-z]*)(?:\.[a-z][A-Za-z]*(?:\[[a-z0-9]{1,2}\])?)*")


def _masked(word: re.Match[str]) -> str:
    core = word[0] if _PATH.fullmatch(word[0]) else word[0].strip(".-[];!?")
    path = _PATH.fullmatch(core)
    is_harmless = not core or _HARMLESS.fullmatch(core) or (path and path[1] in TYPES)
    return word[0] if is_harmless else word[0].replace(core, "…")


def _values(string: str) -> Iterator[str]:
    """Yield the string; of a search also each value, plain and decoded; of a narrative each word."""
    yield string
    for text in {string, unquote_plus(string)}:
        for parameter in re.split(r"[?&]", text):
            _, equals, value = parameter.partition("=")
            if equals:
                yield from (value, *value.split("|"))
    if string.startswith("<"):
        yield from re.findall(r"\w{3,}", re.sub(r"<[^>]*>", " ", string))


def resources(bundle: Resource) -> list[Resource]:
    """Return the resource of each entry, empty where it has none."""
    resources = (entry.get("resource") for entry in objects(bundle, "entry"))
    return [resource if isinstance(resource, dict) else {} for resource in resources]


def _strings(node: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _strings(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value, key)
    elif isinstance(node, str):
        yield key, node
