"""What a report stands on: the device that made it, the study that it is about, where it came from."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inference.types import ModelCard, Prediction
from structured_reports.envelope import EVERY_SERIES, series_uid
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
from structured_reports.image_library import references
from structured_reports.slices import Slice

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
    ours = [s for s in EVERY_SERIES if s.kind in scope.built]
    series = [_series(text.SeriesInstanceUID, modality, references(header, scope.request.slices))]
    series += [
        _series(series_uid(scope.request, s.kind), s.modality, [Slice(built.sop_class_uid, built.uid).reference()])
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
    text, is_series = scope.header.text, scope.request.slices is not None
    source = {"system": DICOM_UID, "value": f"urn:oid:{text.SeriesInstanceUID if is_series else text.SOPInstanceUID}"}
    display = "source series" if is_series else "source image"
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
        "entity": [{"role": "source", "what": {"identifier": source, "display": display}}],
    }


def provenance_tag(scope: Scope) -> Json:
    """Return the tag by which a provenance is found again."""
    return {"system": scope.identifier("")["system"], "code": scope.run_key}


def _model_versions(card: ModelCard) -> list[Json]:
    return [
        {"type": {"text": "model"}, "value": card.version},
        {"type": {"text": "weights sha256"}, "value": card.digest},
    ]


def _series(uid: str, modality: str, instances: list[Dataset]) -> Json:
    return {
        "uid": str(uid),
        "modality": {"system": _MODALITIES, "code": modality},
        "instance": [
            {
                "uid": str(one.ReferencedSOPInstanceUID),
                "sopClass": {"system": URI, "code": f"urn:oid:{one.ReferencedSOPClassUID}"},
            }
            for one in instances
        ],
    }
