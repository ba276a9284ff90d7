"""One transaction per result, that may be posted any number of times.

Everything is created only if the server has none of it: a report that a radiologist has signed since stays as
it is. An update would set it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.diagnostic_report import diagnostic_report
from structured_reports.fhir.findings import observations
from structured_reports.fhir.lint import faults
from structured_reports.fhir.options import FhirOptions
from structured_reports.fhir.people import patient
from structured_reports.fhir.scope import Scope, search, token
from structured_reports.fhir.surroundings import device, imaging_study, provenance, provenance_tag
from structured_reports.fhir.terms import Json
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
        content = json.dumps(bundle, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        return ResultObject("fhir", derived_urn("bundle", scope.run_key), FHIR_JSON, content)


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
    resources = {
        "device": device(scope),
        "study": imaging_study(scope),
        **results,
        "report": diagnostic_report(scope, list(results)),
    }
    entries += [_entry(scope, name, resource) for name, resource in resources.items()]
    targets = [scope.full_url(name) for name in (*results, "report")]
    found_by = f"_tag={token(provenance_tag(scope), 'code')}"
    entries.append(_entry(scope, "provenance", provenance(scope, targets), found_by))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(scope: Scope, name: str, resource: Json, condition: str | None = None) -> Json:
    kind = resource["resourceType"]
    found_by = condition or search(resource["identifier"][0])
    return {
        "fullUrl": scope.full_url(name),
        "resource": resource,
        "request": {"method": "POST", "url": kind, "ifNoneExist": found_by},
    }
