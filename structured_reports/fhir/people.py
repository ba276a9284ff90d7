"""The patient, for servers that have none yet."""

from __future__ import annotations

import re

from structured_reports.fhir.scope import Scope, iso_date
from structured_reports.fhir.terms import NAME_REPRESENTATION, Json

_GENDERS = {"M": "male", "F": "female", "O": "other"}  # PS3.3 C.7.1.1 to FHIR AdministrativeGender
_REPRESENTATIONS = ("ABC", "IDE", "SYL")  # component groups of PN (PS3.5 6.2.1.1), in their order
_CONTROL = re.compile(r"[\x00-\x1f]")


def patient(scope: Scope) -> Json:
    """Return what the film says of the patient."""
    resource: Json = {
        "resourceType": "Patient",
        "identifier": [scope.patient_identifier],
        "name": _names(scope),
    }
    gender = _GENDERS.get(str(scope.header.get("PatientSex")))
    if gender:
        resource["gender"] = gender
    resource["birthDate"] = iso_date(scope.header.get("PatientBirthDate"))
    return {key: value for key, value in resource.items() if value}


def _names(scope: Scope) -> list[Json]:
    groups = str(scope.header.get("PatientName") or "").split("=")
    return [
        _name(group, representation)
        for group, representation in zip(groups, _REPRESENTATIONS, strict=False)
        if group.strip("^ ")
    ]


def _name(group: str, representation: str) -> Json:
    """Return one spelling of a name: family, given, middle, prefix, suffix (PS3.5 6.2.1.1)."""
    parts = [_CONTROL.sub("", part).strip() for part in group.split("^")] + [""] * 5
    family, given, middle, prefix, suffix = parts[:5]
    found: Json = {"extension": [{"url": NAME_REPRESENTATION, "valueCode": representation}]}
    found["text"] = " ".join(part for part in (prefix, given, middle, family, suffix) if part)
    found["family"] = family
    found["given"] = [part for part in (given, middle) if part]
    found["prefix"], found["suffix"] = [prefix] if prefix else [], [suffix] if suffix else []
    return {key: value for key, value in found.items() if value}
