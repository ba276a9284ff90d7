"""What was read, and how it lies (TID 1600).

Not highdicom's: its entry refuses a film without orientation or spacing, and many have neither.
"""

from __future__ import annotations

from highdicom import sr
from pydicom.dataset import Dataset

from inference.types import Code
from structured_reports import codes
from structured_reports.content import ACQUISITION_CONTEXT, CONTAINS, coded, concept, container, number, words
from structured_reports.header import SourceHeader
from structured_reports.slices import Slice, Slices
from structured_reports.spacing import directions, spacing_mm

# CID 29, the modalities that a film or a series of slices may name
_MODALITIES = {
    "CR": "Computed Radiography",
    "DX": "Digital Radiography",
    "RF": "Radio Fluoroscopy",
    "RG": "Radiographic imaging",
    "OT": "Other Modality",
    "CT": "Computed Tomography",
    "MR": "Magnetic Resonance",
}


def image_library(header: SourceHeader, slices: Slices | None = None) -> sr.ContainerContentItem:
    """Return a library of what was read: the source, or every slice of its series."""
    entries = [_described_entry(header)] if slices is None else _series_entries(header, slices)
    return container(codes.IMAGE_LIBRARY, [container(codes.IMAGE_LIBRARY_GROUP, entries)])


def references(header: SourceHeader, slices: Slices | None = None) -> list[Dataset]:
    """Return the items of ReferencedSOPSequence that name what was read."""
    source = Slice(header.text.SOPClassUID, header.text.SOPInstanceUID)
    return [each.reference() for each in ((source,) if slices is None else slices.instances)]


def entry(header: SourceHeader) -> sr.ContentItem:
    """Return the source as IMAGE, or as COMPOSITE where it has no pixels (TID 1601)."""
    kind = sr.ImageContentItem if header.get("Rows") else sr.CompositeContentItem
    # TID 1601 leaves the name open; readers that index a tree by name need one
    return kind(concept(codes.SOURCE), header.text.SOPClassUID, header.text.SOPInstanceUID, relationship_type=CONTAINS)


def _described_entry(header: SourceHeader) -> sr.ContentItem:
    item = entry(header)
    descriptors = _descriptors(header)
    if descriptors:
        item.ContentSequence = sr.ContentSequence(descriptors)
    return item


def _series_entries(header: SourceHeader, slices: Slices) -> list[sr.ContentItem]:
    """Return what all slices say of themselves, once for the group (TID 1600, row 3), and each of them."""
    named = [
        sr.ImageContentItem(
            concept(codes.SOURCE), each.sop_class_uid, each.sop_instance_uid, relationship_type=CONTAINS
        )
        for each in slices.instances
    ]
    return [*_descriptors(header), *named]


def _descriptors(header: SourceHeader) -> list[sr.ContentItem]:
    """Return what the source says of itself (TID 1602, 1603)."""
    items: list[sr.ContentItem] = []
    modality = str(header.get("Modality") or "")
    if modality in _MODALITIES:
        items.append(coded(codes.MODALITY, Code(modality, "DCM", _MODALITIES[modality]), ACQUISITION_CONTEXT))
    for name, keyword in ((codes.ROWS, "Rows"), (codes.COLUMNS, "Columns")):
        if header.get(keyword):
            items.append(number(name, int(header.get(keyword)), codes.PIXELS, ACQUISITION_CONTEXT))
    return [*items, *_orientation(header), *_spacing(header)]


def _orientation(header: SourceHeader) -> list[sr.ContentItem]:
    names = (codes.PATIENT_ORIENTATION_ROW, codes.PATIENT_ORIENTATION_COLUMN)
    return [words(*pair, ACQUISITION_CONTEXT) for pair in zip(names, directions(header) or (), strict=False)]


def _spacing(header: SourceHeader) -> list[sr.ContentItem]:
    spacing = spacing_mm(header)
    if spacing is None:
        return []
    names = (codes.VERTICAL_SPACING, codes.HORIZONTAL_SPACING)
    return [
        number(name, distance, codes.MILLIMETER, ACQUISITION_CONTEXT)
        for name, distance in zip(names, spacing, strict=True)
    ]
