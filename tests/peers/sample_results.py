"""Results to deliver: real objects, small, of one study."""

from __future__ import annotations

import json
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from highdicom.sc import SCImage
from pydicom import dcmread
from pydicom.uid import generate_uid

from structured_reports.fhir.scope import search
from structured_reports.port import DICOM, FHIR_JSON, ResultObject

PATIENT_SYSTEM = "urn:oid:2.25.1001"
FAMILY_NAME = "Zwetschgenbaum"
PATIENT_ID = "PID-77-4242"


def image(kind: str = "summary", *, rows: int = 64, study_uid: str = "") -> ResultObject:
    """Return a Secondary Capture as highdicom makes it."""
    captured = SCImage(
        np.arange(rows * 64 * 3, dtype=np.uint8).reshape(rows, 64, 3),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=study_uid or generate_uid(),
        series_instance_uid=generate_uid(),
        series_number=9001,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        patient_id=PATIENT_ID,
        patient_name=f"{FAMILY_NAME}^Anna",
        patient_orientation=("L", "F"),
    )
    stream = BytesIO()
    captured.save_as(stream, enforce_file_format=True)
    return result(stream.getvalue(), kind)


def instance(path: str, kind: str = "summary") -> ResultObject:
    """Return the Part 10 file as a result, byte by byte."""
    return result(Path(path).read_bytes(), kind)


def of_sop_class(original: ResultObject, sop_class_uid: str, kind: str) -> ResultObject:
    """Return another instance that claims to be of another SOP class."""
    ds = dcmread(BytesIO(original.content))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class_uid
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return result(stream.getvalue(), kind)


def result(part10: bytes, kind: str) -> ResultObject:
    meta = dcmread(BytesIO(part10), stop_before_pixels=True).file_meta
    return ResultObject(
        kind=kind,
        uid=str(meta.MediaStorageSOPInstanceUID),
        media_type=DICOM,
        content=part10,
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
    )


def bundle(*, patient_id: str = PATIENT_ID, **report: Any) -> ResultObject:
    """Return a transaction with a finding and a report about a patient whom the server knows."""
    named = search({"system": PATIENT_SYSTEM, "value": patient_id})
    subject = {"reference": f"Patient?{named}", "display": FAMILY_NAME}
    finding_url, report_url = uuid.uuid4().urn, uuid.uuid4().urn
    code = {"coding": [{"system": "http://loinc.org", "code": "36643-5"}]}
    finding = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:test:finding", "value": finding_url}],
        "status": "preliminary",
        "code": code,
        "subject": subject,
        "valueString": "probability 0.5",
    }
    document = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:test:report", "value": report_url}],
        "status": "preliminary",
        "code": code,
        "subject": subject,
        "result": [{"reference": finding_url}],
        "conclusion": "AI RESULT - NOT FOR DIAGNOSTIC USE",
        **report,
    }
    content = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_created(finding_url, finding), _created(report_url, document)],
    }
    return ResultObject("fhir", uuid.uuid4().urn, FHIR_JSON, json.dumps(content).encode())


def _created(full_url: str, resource: dict[str, Any]) -> dict[str, Any]:
    identifier = resource["identifier"][0]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition}
    return {"fullUrl": full_url, "resource": resource, "request": request}
