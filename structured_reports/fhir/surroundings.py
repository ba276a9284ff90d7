"""What a report stands on: the device that made it, the study that it is about, where it came from."""

from __future__ import annotations

from inference.types import ModelCard, Prediction
from structured_reports.envelope import HEATMAP, REPORT, SUMMARY, series_uid
from structured_reports.fhir.scope import Scope
from structured_reports.fhir.terms import (
    AI_ASSERTED,
    AI_DEVICE,
    AI_KIND_EXTENSION,
    AI_KINDS,
    AUTHOR,
    DICOM_UID,
    URI,
    Json,
)  # fmt: skip

_MODALITIES = "http://dicom.nema.org/resources/ontology/DCM"


def device(scope: Scope) -> Json:
    """Return the model, or the node alone where no model was asked."""
    outcome, equipment = scope.request.outcome, scope.request.equipment
    versions = [{"type": {"text": "node"}, "value": equipment.software_version}]
    name, value, maker = equipment.model_name, "device/node", equipment.manufacturer
    if isinstance(outcome, Prediction):
        card = outcome.card
        name, value, maker = card.name, f"device/{card.name}/{card.version}/{card.digest}", card.manufacturer
        versions = [*_model_versions(card), *versions]
    return {
        "resourceType": "Device",
        "identifier": [scope.identifier(f"{value}/{equipment.software_version}")],
        "status": "active",
        "manufacturer": maker,
        "deviceName": [{"name": name, "type": "model-name"}],
        "serialNumber": equipment.serial_number,
        "type": {"coding": [AI_DEVICE]},
        "version": versions,
        "extension": [
            {"url": AI_KIND_EXTENSION, "valueCodeableConcept": {"coding": [{**AI_DEVICE, "code": kind}]}}
            for kind in AI_KINDS
        ],
    }


def imaging_study(scope: Scope) -> Json:
    """Return the study, for servers that do not have it from the PACS."""
    text, header = scope.header.text, scope.header
    modality = str(header.get("Modality") or "OT")
    ours = [s for s in (SUMMARY, HEATMAP, REPORT) if s.kind in scope.built]
    series = [_series(text.SeriesInstanceUID, modality, text.SOPInstanceUID, text.SOPClassUID)]
    series += [
        _series(series_uid(scope.request, s.kind), s.modality, built.uid, built.sop_class_uid)
        for s in ours
        for built in [scope.built[s.kind]]
    ]
    study: Json = {
        "resourceType": "ImagingStudy",
        "identifier": [scope.study_identifier, *([scope.accession] if scope.accession else [])],
        "status": "available",
        "subject": scope.subject,
        "modality": [{"system": _MODALITIES, "code": modality}],
        "series": series,
    }
    return {**study, "started": scope.study_date} if scope.study_date else study


def provenance(scope: Scope, targets: list[str]) -> Json:
    """Return who made what, from what. R4 gives it no identifier: a tag makes it findable."""
    source = {"system": DICOM_UID, "value": f"urn:oid:{scope.header.text.SOPInstanceUID}"}
    return {
        "resourceType": "Provenance",
        "meta": {"security": [AI_ASSERTED], "tag": [provenance_tag(scope)]},
        "target": [{"reference": target} for target in targets],
        "recorded": scope.made_at,
        "reason": [{"coding": [AI_ASSERTED]}],
        "agent": [
            {
                "type": {"coding": [AUTHOR]},
                "role": [{"coding": [AI_DEVICE]}],
                "who": scope.reference("device", "Device"),
            }
        ],
        "entity": [{"role": "source", "what": {"identifier": source, "display": "source image"}}],
    }


def provenance_tag(scope: Scope) -> Json:
    """Return the tag by which a provenance is found again."""
    return {"system": scope.identifier("")["system"], "code": scope.run_key}


def _model_versions(card: ModelCard) -> list[Json]:
    return [
        {"type": {"text": "model"}, "value": card.version},
        {"type": {"text": "weights sha256"}, "value": card.digest},
    ]


def _series(uid: str, modality: str, sop_instance_uid: str, sop_class_uid: str) -> Json:
    sop_class = {"system": URI, "code": f"urn:oid:{sop_class_uid}"}
    return {
        "uid": str(uid),
        "modality": {"system": _MODALITIES, "code": modality},
        "instance": [{"uid": str(sop_instance_uid), "sopClass": sop_class}],
    }
