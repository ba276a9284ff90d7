"""Content items of an SR tree that highdicom's templates leave to the caller (PS3.3 C.17.3)."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import sr
from pydicom.dataset import Dataset

from inference.types import Code
from structured_reports.port import Equipment

CONTAINS = "CONTAINS"
CONCEPT_MODIFIER = "HAS CONCEPT MOD"
ACQUISITION_CONTEXT = "HAS ACQ CONTEXT"


def concept(code: Code) -> sr.CodedConcept:
    """Return a code as highdicom takes it."""
    return sr.CodedConcept(code.value, code.scheme, code.meaning[:64])  # LO (PS3.3 8.3)


def words(name: Code, value: str, relationship: str = CONTAINS) -> sr.TextContentItem:
    """Return a TEXT item."""
    return sr.TextContentItem(concept(name), value, relationship_type=relationship)


def coded(name: Code, value: Code, relationship: str = CONTAINS) -> sr.CodeContentItem:
    """Return a CODE item."""
    return sr.CodeContentItem(concept(name), concept(value), relationship_type=relationship)


def number(name: Code, value: float, unit: Code, relationship: str) -> sr.NumContentItem:
    """Return a NUM item."""
    return sr.NumContentItem(concept(name), value, concept(unit), relationship_type=relationship)


def container(
    name: Code, items: Sequence[sr.ContentItem], relationship: str | None = CONTAINS
) -> sr.ContainerContentItem:
    """Return a CONTAINER of `items`."""
    item = sr.ContainerContentItem(concept(name), is_content_continuous=False, relationship_type=relationship)
    item.ContentSequence = sr.ContentSequence(items)
    return item


def observer(equipment: Equipment) -> sr.ObservationContext:
    """Return the node as the observer: a device, not a person (TID 1001, 1002, 1004)."""
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=sr.CodedConcept("121007", "DCM", "Device"),
            observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                uid=equipment.device_uid,
                name=equipment.station_name,
                manufacturer_name=equipment.manufacturer,
                model_name=equipment.model_name,
                serial_number=equipment.serial_number,
            ),
        )
    )


def separate(item: Dataset) -> None:
    """Set SEPARATE on every container below `item`.

    highdicom writes CONTINUOUS, which OHIF and dsr2html run together into one line without concept names.
    """
    if item.get("ValueType") == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence") or ():
        separate(child)
