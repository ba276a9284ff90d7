"""A rejection note: results that no reader shall use any more (IHE RAD TF, IOCM; PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage, SegmentationStorage

from inference.types import Code
from structured_reports import codes
from structured_reports.content import CONTAINS, container, observer, separate, words
from structured_reports.envelope import Series, envelope
from structured_reports.errors import InvalidObjectError
from structured_reports.header import read_header
from structured_reports.lifecycle import Reference, RejectionReason
from structured_reports.lifecycle_references import hierarchical
from structured_reports.part10 import sealed
from structured_reports.port import REJECTION, ReportRequest, ResultObject

SERIES_DESCRIPTION = "AI results withdrawn"
NOTE = Series(REJECTION, 9099, "KO", KeyObjectSelectionDocumentStorage)

TITLES: Mapping[RejectionReason, Code] = MappingProxyType(
    {
        RejectionReason.QUALITY: codes.REJECTED_FOR_QUALITY,
        RejectionReason.PATIENT_SAFETY: codes.REJECTED_FOR_PATIENT_SAFETY,
    }
)

# What has pixels is an IMAGE, all else COMPOSITE (PS3.3 C.17.3.2.1; PS3.16 TID 2010)
_IMAGES = (SecondaryCaptureImageStorage, SegmentationStorage)
_DESCRIPTION = "AI results of this study are withdrawn: do not use them."


def rejection(request: ReportRequest, reason: RejectionReason, rejected: Sequence[Reference]) -> ResultObject:
    """Return the note.

    Parameters
    ----------
    request
        Its source is any instance of the study; its outcome says that the result is withdrawn.
    rejected
        Every instance that was sent, all of the study of the source.

    Raises
    ------
    InvalidObjectError
        Nothing is rejected, or an instance of another study.
    """
    header = read_header(request.source)
    study_uid = str(header.text.StudyInstanceUID)
    if not rejected:
        raise InvalidObjectError("rejected: a rejection note names at least one instance (PS3.16 TID 2010)")
    if any(one.study_uid != study_uid for one in rejected):
        raise InvalidObjectError("rejected: an instance of another study (IHE IOCM: one study a rejection note)")
    dataset = envelope(request, header, NOTE)
    dataset.SeriesDescription = SERIES_DESCRIPTION
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = hierarchical(rejected)
    words_first = [*observer(request.equipment), words(codes.KEY_OBJECT_DESCRIPTION, _DESCRIPTION)]
    root = container(TITLES[reason], words_first, relationship=None)
    separate(root)
    dataset.update(root)
    dataset.ContentTemplateSequence = [_template()]
    dataset.ContentSequence = [*root.ContentSequence, *(_item(one) for one in rejected)]
    return sealed(NOTE.kind, dataset, header)


def _item(reference: Reference) -> Dataset:
    """Return an instance as TID 2010 lists it: without a concept name, which highdicom's items need."""
    instance = Dataset()
    instance.ReferencedSOPClassUID = reference.sop_class_uid
    instance.ReferencedSOPInstanceUID = reference.sop_instance_uid
    item = Dataset()
    item.RelationshipType = CONTAINS
    item.ValueType = "IMAGE" if reference.sop_class_uid in _IMAGES else "COMPOSITE"
    item.ReferencedSOPSequence = [instance]
    return item


def _template() -> Dataset:
    item = Dataset()
    item.MappingResource = "DCMR"
    item.TemplateIdentifier = "2010"
    return item
