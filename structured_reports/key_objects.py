"""What a reader should look at, as a Key Object Selection: the source image and the result about it.

The Structured Report is not among it: which of its forms a destination takes, each an instance of its own, is known
only when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, SegmentationStorage

from inference.types import Prediction
from structured_reports import codes
from structured_reports.content import CONTAINS, container, observer, separate, words
from structured_reports.envelope import KEY_OBJECTS, REPORT, envelope
from structured_reports.header import SourceHeader, read_header
from structured_reports.lifecycle import Reference
from structured_reports.lifecycle_references import hierarchical
from structured_reports.part10 import sealed
from structured_reports.port import DICOM, ReportRequest, ResultObject
from structured_reports.text import conclusion

# What has pixels is an IMAGE, all else COMPOSITE (PS3.3 C.17.3.2.1; PS3.16 TID 2010)
_IMAGES = (SecondaryCaptureImageStorage, SegmentationStorage)


def key_objects(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return the selection; None where no finding is above its threshold: key images of negatives bury the others.

    References
    ----------
    * DICOM Standard, Part 3, A.35.4 (Key Object Selection Document IOD); Part 16, TID 2010
    """
    outcome = request.outcome
    if not isinstance(outcome, Prediction) or not any(score.above for score in outcome.scores):
        return None
    header = read_header(request.source)
    source = _source(header)
    results = [_reference(one) for one in built.values() if one.media_type == DICOM and one.kind != REPORT.kind]
    dataset = envelope(request, header, KEY_OBJECTS)
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = hierarchical([source, *results])
    first = [*observer(request.equipment), words(codes.KEY_OBJECT_DESCRIPTION, conclusion(request))]
    root = container(codes.OF_INTEREST, first, relationship=None)
    separate(root)
    dataset.update(root)
    dataset.ContentTemplateSequence = [_template()]
    selected = [_item(source, is_image=bool(header.get("Rows"))), *_items(results)]
    dataset.ContentSequence = [*root.ContentSequence, *selected]
    return sealed(KEY_OBJECTS.kind, dataset, header)


def _source(header: SourceHeader) -> Reference:
    text = header.text
    return Reference(text.StudyInstanceUID, text.SeriesInstanceUID, text.SOPClassUID, text.SOPInstanceUID)


def _reference(result: ResultObject) -> Reference:
    read = dcmread(BytesIO(result.content), specific_tags=["StudyInstanceUID", "SeriesInstanceUID"])
    return Reference(read.StudyInstanceUID, read.SeriesInstanceUID, result.sop_class_uid, result.uid)


def _items(references: Sequence[Reference]) -> list[Dataset]:
    return [_item(one, is_image=one.sop_class_uid in _IMAGES) for one in references]


def _item(reference: Reference, *, is_image: bool) -> Dataset:
    """Return an instance as TID 2010 lists it: without a concept name, which highdicom's items need."""
    instance = Dataset()
    instance.ReferencedSOPClassUID = reference.sop_class_uid
    instance.ReferencedSOPInstanceUID = reference.sop_instance_uid
    item = Dataset()
    item.RelationshipType = CONTAINS
    item.ValueType = "IMAGE" if is_image else "COMPOSITE"
    item.ReferencedSOPSequence = [instance]
    return item


def _template() -> Dataset:
    item = Dataset()
    item.MappingResource = "DCMR"
    item.TemplateIdentifier = "2010"
    return item
