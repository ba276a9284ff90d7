"""One transaction per result, that may be posted any number of times.

A first version is created only if the server has none of it. A later one changes the resources of the first, but only
those that still have a status of this node: a report that a radiologist has signed since stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.diagnostic_report import diagnostic_report
from structured_reports.fhir.findings import observations
from structured_reports.fhir.lint import UPDATED, faults
from structured_reports.fhir.options import FhirOptions
from structured_reports.fhir.people import patient
from structured_reports.fhir.scope import Scope, search, token
from structured_reports.fhir.surroundings import device, imaging_study, provenance, provenance_tag
from structured_reports.fhir.terms import Json
from structured_reports.fhir.versions import conditional_update, dropped, said, version_status
from structured_reports.header import read_header
from structured_reports.port import FHIR_JSON, ReportRequest, ResultObject
from structured_reports.uids import derived_urn

MOST_ENTRIES = 8  # more with a condition are refused by Medplum
_FIXED_ENTRIES = 4  # Device, ImagingStudy, DiagnosticReport, Provenance


@dataclass(frozen=True)
class FhirBundle:
    """Builds the bundle for one kind of target server."""

    options: FhirOptions = field(default_factory=FhirOptions)

    def __call__(self, request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
        """Return the bundle.

        Raises
        ------
        FhirInvalidError
            It breaks a rule of FHIR R4.
        """
        scope = Scope(request, read_header(request.source), self.options, built)
        bundle = _bundle(scope)
        check(bundle)
        return result_of(bundle)


def result_of(bundle: Json) -> ResultObject:
    """Return a bundle as the bytes that are recorded, named by a digest of them."""
    content = json.dumps(bundle, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return ResultObject("fhir", derived_urn("bundle", hashlib.sha256(content).hexdigest()), FHIR_JSON, content)


def check(bundle: Json) -> None:
    """Refuse a bundle that is not FHIR R4.

    The models check structure and data types, the lint what they let through. The dicts are sent, never the
    models: dumping those changes decimals and instants.
    """
    # Loaded here because it takes most of a second, which a process that builds no bundle need not pay
    from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        places = {".".join(str(part) for part in fault["loc"]) + f": {fault['msg']}" for fault in error.errors()}
        raise FhirInvalidError(f"bundle: {'; '.join(sorted(places))}") from None  # the cause holds identity
    found = faults(bundle)
    if found:
        raise FhirInvalidError(f"bundle: {'; '.join(found)}")


def _bundle(scope: Scope) -> Json:
    creates_patient = scope.options.create_patient and scope.patient_identifier is not None
    entries = [_entry(scope, "patient", patient(scope))] if creates_patient else []
    results = observations(scope, MOST_ENTRIES - _FIXED_ENTRIES - len(entries))
    report, maker = diagnostic_report(scope, list(results)), device(scope)
    removed = _as_version(scope, report, maker, results)
    resources = {"device": maker, "study": imaging_study(scope), **results, **removed, "report": report}
    entries += [_entry(scope, name, resource) for name, resource in resources.items()]
    targets = [scope.full_url(name) for name in (*results, "report")]
    found_by = f"_tag={token(provenance_tag(scope), 'code')}"
    entries.append(_entry(scope, "provenance", provenance(scope, targets), found_by))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _as_version(scope: Scope, report: Json, maker: Json, results: dict[str, Json]) -> dict[str, Json]:
    """Give report and Observations the status of a later version; returns the Observations that are no more."""
    former = scope.former
    if former is None or former.report is None:
        return {}
    status = version_status(former, said(maker, list(results.values())))
    for resource in (report, *results.values()):
        if resource["status"] == "preliminary":  # a refusal stays cancelled
            resource["status"] = status
    return dropped(former.report, results, next(iter(results.values())))


def _entry(scope: Scope, name: str, resource: Json, condition: str | None = None) -> Json:
    kind = resource["resourceType"]
    found_by = condition or search(resource["identifier"][0])
    request = {"method": "POST", "url": kind, "ifNoneExist": found_by}
    if scope.former is not None and kind in UPDATED:
        request = conditional_update(resource)
    return {"fullUrl": scope.full_url(name), "resource": resource, "request": request}
