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

# CID 29, the modalities that a chest film may name
_MODALITIES = {
    "CR": "Computed Radiography",
    "DX": "Digital Radiography",
    "RF": "Radio Fluoroscopy",
    "RG": "Radiographic imaging",
    "OT": "Other Modality",
}


def image_library(header: SourceHeader) -> sr.ContainerContentItem:
    """Return a library of one entry: the source."""
    return container(codes.IMAGE_LIBRARY, [container(codes.IMAGE_LIBRARY_GROUP, [_described_entry(header)])])


def reference(header: SourceHeader) -> Dataset:
    """Return an item of ReferencedSOPSequence that names the source."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.text.SOPClassUID
    item.ReferencedSOPInstanceUID = header.text.SOPInstanceUID
    return item


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
    value = header.get("PatientOrientation")
    if not value or len(value) != 2:
        return []
    names = (codes.PATIENT_ORIENTATION_ROW, codes.PATIENT_ORIENTATION_COLUMN)
    return [words(name, part, ACQUISITION_CONTEXT) for name, part in zip(names, value, strict=True) if part]


def _spacing(header: SourceHeader) -> list[sr.ContentItem]:
    value = header.get("ImagerPixelSpacing") or header.get("PixelSpacing")
    if not value or len(value) != 2 or min(float(part) for part in value) <= 0:
        return []
    names = (codes.VERTICAL_SPACING, codes.HORIZONTAL_SPACING)
    return [
        number(name, float(part), codes.MILLIMETER, ACQUISITION_CONTEXT)
        for name, part in zip(names, value, strict=True)
    ]
