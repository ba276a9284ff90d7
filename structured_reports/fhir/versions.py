"""Later versions of a report: the same resource at the EHR, changed; never a second one beside it.

An update names the resource by its identifier and by the statuses that this node writes. What a person has signed
since (``final``) does not match, so it is never set back (FHIR R4 3.1.0.7.1, conditional update).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.scope import search
from structured_reports.fhir.terms import AI_ASSERTED, ERROR_REASON, IMAGING, Json
from structured_reports.lifecycle import Cause, FormerReport, FormerResult, plain

WITHDRAWN = "entered-in-error"
OWN_STATUSES = ("preliminary", "amended", "corrected", "cancelled", WITHDRAWN)
"""What this node writes: anything else at the server is a person's."""

_REPORT, _OBSERVATION = "report", "observation"
_VALUES = ("code", "valueCodeableConcept", "component", "dataAbsentReason")


def former_report(content: bytes) -> FormerReport:
    """Return what a recorded bundle says, for the version after it.

    Raises
    ------
    FhirInvalidError
        It holds no report of this node.
    """
    resources = [entry["resource"] for entry in json.loads(content).get("entry", [])]
    reports = [one for one in resources if one["resourceType"] == "DiagnosticReport"]
    if len(reports) != 1:
        raise FhirInvalidError(f"recorded bundle: {len(reports)} DiagnosticReports; a result has one")
    observations = {
        _own_name(one).split("/", 2)[2]: one
        for one in resources
        if one["resourceType"] == "Observation" and one["status"] != WITHDRAWN
    }
    devices = [one for one in resources if one["resourceType"] == "Device"]
    return FormerReport(
        key=_own_name(reports[0]).partition("/")[2],
        status=reports[0]["status"],
        said=said(devices[0] if devices else {}, list(observations.values())),
        observations={name: one["code"] for name, one in observations.items()},
    )


def said(device: Json, observations: list[Json]) -> str:
    """Return the digest of what a result says: model and values, no times and no software of the node."""
    model = [one for one in device.get("version", []) if one.get("type", {}).get("text") != "node"]
    values = [{key: one[key] for key in _VALUES if key in one} for one in observations]
    told = [device.get("deviceName"), model, sorted(values, key=plain)]
    return hashlib.sha256(plain(told).encode()).hexdigest()


def version_status(former: FormerResult, now: str) -> str:
    """Return the status of a version after `former` that says `now` (FHIR R4, DiagnosticReportStatus).

    ``amended`` where images came late, ``corrected`` where a new reading says something else; where it says the same,
    the status stays.
    """
    if former.report is None or former.cause is Cause.DEADLINE:
        return "preliminary"  # nothing was said before but that there is no result yet
    if former.cause is Cause.LATE_IMAGES:
        return "amended"
    unchanged = former.report.said == now and former.report.status in ("preliminary", "amended", "corrected")
    return former.report.status if unchanged else "corrected"


def dropped(former: FormerReport, kept: Mapping[str, Json], like: Json) -> dict[str, Json]:
    """Return the Observations that the former report had and this one has not: entered in error.

    Parameters
    ----------
    kept
        Name of each Observation of the new version.
    like
        One of them, for subject, device and study.
    """
    names = {_own_name(one).split("/", 2)[2] for one in kept.values()}
    system = like["identifier"][0]["system"]
    return {
        f"former {name}": {
            "resourceType": "Observation",
            "meta": {"security": [AI_ASSERTED]},
            "identifier": [{"system": system, "value": f"{_OBSERVATION}/{former.key}/{name}"}],
            "status": WITHDRAWN,
            "category": [{"coding": [IMAGING]}],
            "code": code,
            "subject": like["subject"],
            "device": like["device"],
            "derivedFrom": like["derivedFrom"],
            "dataAbsentReason": {"coding": [ERROR_REASON]},
        }
        for name, code in former.observations.items()
        if name not in names
    }


def conditional_update(resource: Json) -> Json:
    """Return the request of an entry that changes a resource of this node, or makes it where there is none."""
    found_by = f"{search(resource['identifier'][0])}&status={','.join(OWN_STATUSES)}"
    return {"method": "PUT", "url": f"{resource['resourceType']}?{found_by}"}


def _own_name(resource: Json) -> str:
    """Return the value of the identifier that this node gave a resource."""
    value = str(resource.get("identifier", [{}])[0].get("value", ""))
    if not value.startswith((f"{_REPORT}/", f"{_OBSERVATION}/")):
        raise FhirInvalidError(f"recorded bundle: {resource['resourceType']} without an identifier of this node")
    return value
