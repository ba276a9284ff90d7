"""What every resource of one bundle shares: names, references, times."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import quote

from inference.types import Prediction
from structured_reports.envelope import result_time
from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.options import FhirOptions
from structured_reports.fhir.terms import ACCESSION, DICOM_UID, Json
from structured_reports.header import SourceHeader
from structured_reports.lifecycle import FormerResult
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.uids import derived_urn


@dataclass(frozen=True)
class Scope:
    """One bundle in the making."""

    request: ReportRequest
    header: SourceHeader
    options: FhirOptions
    built: Mapping[str, ResultObject]

    @cached_property
    def run_key(self) -> str:
        """Name of this result: another model, film or generation makes another."""
        outcome = self.request.outcome
        model = (
            (outcome.card.name, outcome.card.version, outcome.card.digest)
            if isinstance(outcome, Prediction)
            else (outcome.code,)
        )
        text = self.header.text
        parts = (text.StudyInstanceUID, text.SOPInstanceUID, *model)
        parts += (str(self.request.generation), self.request.made_at.isoformat())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def former(self) -> FormerResult | None:
        """The result that this one replaces, where its report is known."""
        former = self.request.former
        return former if former is not None and former.report is not None else None

    @property
    def report_key(self) -> str:
        """Name of the report, which all its versions share: an EHR updates one and shows no second."""
        former = self.former
        return former.report.key if former is not None and former.report is not None else self.run_key

    def identifier(self, value: str) -> Json:
        """Return an identifier that this installation assigns."""
        return {"system": f"urn:oid:{self.request.equipment.device_uid}", "value": value}

    def full_url(self, name: str) -> str:
        """Return the name of a resource inside the bundle."""
        return derived_urn("fhir", self.run_key, name)

    def reference(self, name: str, resource_type: str) -> Json:
        """Return a reference to another entry of the bundle."""
        return {"reference": self.full_url(name), "type": resource_type}

    @property
    def made_at(self) -> str:
        """Time of the result as a FHIR instant."""
        return result_time(self.request, self.header).isoformat(timespec="seconds")

    @property
    def study_identifier(self) -> Json:
        """Identifier of the study as ImagingStudy has it."""
        return {"system": DICOM_UID, "value": f"urn:oid:{self.header.text.StudyInstanceUID}"}

    @property
    def accession(self) -> Json | None:
        """Accession number as an identifier, or None."""
        value = printable(self.header.get("AccessionNumber"))
        return {"type": {"coding": [ACCESSION]}, "value": value} if value else None

    @property
    def patient_identifier(self) -> Json | None:
        """Identifier by which the target knows the patient, or None where the film names none."""
        value = printable(self.header.get("PatientID"))
        if not value:
            return None
        system = self.options.patient_system
        return {"system": system, "value": value} if system else {"value": value}

    @property
    def subject(self) -> Json:
        """Reference to the patient."""
        identifier = self.patient_identifier
        if identifier is None:
            return {"type": "Patient", "display": "Patient without identifier"}
        if self.options.create_patient:
            return self.reference("patient", "Patient")
        # Resolved by the server when it takes the transaction: refused unless exactly one patient matches
        return {"reference": f"Patient?{search(identifier)}", "type": "Patient"}

    @property
    def study_date(self) -> str | None:
        """Day of the study: its time of day has no time zone, which FHIR would demand."""
        return iso_date(self.header.get("StudyDate"))


def iso_date(value: object) -> str | None:
    """Return a date of DICOM as FHIR writes it, or None where there is no such day."""
    try:
        return datetime.strptime(str(value or "").replace(".", ""), "%Y%m%d").date().isoformat()
    except ValueError:
        return None


def search(identifier: Json) -> str:
    """Return the search that finds a resource by its identifier."""
    return f"identifier={token(identifier, 'value')}"


def token(named: Json, key: str) -> str:
    """Return system and value as a search parameter of type token."""
    system = f"{_escaped(named['system'])}|" if "system" in named else ""
    return f"{system}{_escaped(named[key])}"


def _escaped(value: str) -> str:
    """Return a value in which a comma is no "or", a bar no system, a dollar no composite (R4 3.1.1.4.0.1)."""
    return quote(re.sub(r"([\\,|$])", r"\\\1", value), safe="")


def printable(value: object) -> str:
    """Return a text without the control characters that FHIR forbids in a string.

    Raises
    ------
    FhirInvalidError
        They stand inside the text, so that leaving them out would make another identifier.
    """
    text = str(value or "").strip()
    if any(ord(character) < 0x20 for character in text):
        raise FhirInvalidError("identifier: a control character inside (FHIR R4, string)")
    return text
