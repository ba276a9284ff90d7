"""Code systems and codes of a bundle, with their sources."""

from __future__ import annotations

from typing import Any, TypeAlias

from inference.types import Code

Json = dict[str, Any]
JsonValue: TypeAlias = Any  # str, number, bool, list or dict: a recursive type helps no reader

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
# HL7 AI Transparency on FHIR, STU 1 ballot: the addresses may still change, so they stand here only
_AI = "http://hl7.org/fhir/uv/aitransparency"

# FHIR R4, "Using Codes in Resources", and PS3.16 Table 8-1
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
}

DICOM_UID = "urn:dicom:uid"  # ImagingStudy.identifier, FHIR R4
URI = "urn:ietf:rfc:3986"

AI_ASSERTED = {
    "system": f"{_TERMINOLOGY}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
AI_DEVICE = {"system": f"{_AI}/CodeSystem/AIdeviceTypeCS", "code": "Artificial-Intelligence"}
AI_KINDS = ("Deep-Learning-Models", "AI-for-Medical-Imaging-Data")
AI_KIND_EXTENSION = f"{_AI}/StructureDefinition/aitransparency.AIKind"
AI_CONFIDENCE_EXTENSION = f"{_AI}/StructureDefinition/AIconfidence"
# Observation.performer and DiagnosticReport.performer of R4 cannot be a Device
ALTERNATE_REFERENCE = "http://hl7.org/fhir/StructureDefinition/alternate-reference"
NAME_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"

IMAGING = {"system": f"{_TERMINOLOGY}/observation-category", "code": "imaging", "display": "Imaging"}
RADIOLOGY = {"system": f"{_TERMINOLOGY}/v2-0074", "code": "RAD", "display": "Radiology"}
RADIOLOGY_LOINC = {"system": "http://loinc.org", "code": "LP29684-5", "display": "Radiology"}  # US Core
ACCESSION = {"system": f"{_TERMINOLOGY}/v2-0203", "code": "ACSN", "display": "Accession ID"}
POSITIVE = {"system": f"{_TERMINOLOGY}/v3-ObservationInterpretation", "code": "POS", "display": "Positive"}
NEGATIVE = {"system": f"{_TERMINOLOGY}/v3-ObservationInterpretation", "code": "NEG", "display": "Negative"}
NOT_PERFORMED = {
    "system": f"{_TERMINOLOGY}/data-absent-reason",
    "code": "not-performed",
    "display": "Not Performed",
}
# R4 lists it under data-absent-reason; "error" is what makes a value invalid
ERROR_REASON = {"system": f"{_TERMINOLOGY}/data-absent-reason", "code": "error", "display": "Error"}
AUTHOR = {"system": f"{_TERMINOLOGY}/provenance-participant-type", "code": "author", "display": "Author"}


def coding(code: Code) -> Json:
    """Return a code as a Coding; without system where FHIR knows none for the scheme."""
    system = _SYSTEMS.get(code.scheme)
    found: Json = {"code": code.value, "display": code.meaning}
    return {"system": system, **found} if system else found


def concept(code: Code) -> Json:
    """Return a code as a CodeableConcept."""
    return {"coding": [coding(code)], "text": code.meaning}
