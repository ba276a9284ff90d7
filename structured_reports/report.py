"""The result for machines and good viewers: a Comprehensive SR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from highdicom import sr
from pydicom.dataset import Dataset

from inference.types import Code, Prediction, fault_of_code
from structured_reports import codes
from structured_reports.content import CONCEPT_MODIFIER, coded, concept, container, observer, separate, words
from structured_reports.envelope import HEATMAP, REPORT, code_item, envelope, series_uid
from structured_reports.forms import COMPREHENSIVE
from structured_reports.header import SourceHeader, read_header
from structured_reports.image_library import image_library, references
from structured_reports.lifecycle_references import hierarchical
from structured_reports.measurement_groups import measurement_groups
from structured_reports.part10 import sealed
from structured_reports.port import Refusal, ReportRequest, ResultObject
from structured_reports.reasons import reason
from structured_reports.selection import mapped_scores
from structured_reports.text import conclusion, sentence

_REQUEST_TEXTS = (
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
)


def report(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
    """Return the SR: TID 1500 for a prediction, a short text with a coded reason for a refusal."""
    header = read_header(request.source)
    map_object = built.get(HEATMAP.kind)
    if isinstance(request.outcome, Refusal):
        root = _refusal_tree(request, request.outcome, header)
    else:
        root = _measurement_tree(request, request.outcome, header, map_object)
    separate(root)
    dataset = document(request, header, root, map_object)
    return replace(sealed(REPORT.kind, dataset, header), form=COMPREHENSIVE)


def _measurement_tree(
    request: ReportRequest, prediction: Prediction, header: SourceHeader, map_object: ResultObject | None
) -> Dataset:
    """Return TID 1500 with the image library and the notice, which the template leaves open."""
    root: Dataset = sr.MeasurementReport(
        observation_context=observer(request.equipment),
        procedure_reported=[concept(code) for code in procedures(request, header)],
        imaging_measurements=measurement_groups(request, prediction, header, map_object),
        title=concept(_title(request)),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(concept(codes.ENGLISH)),
    )[0]
    # Before the measurements, which the template puts last: the notice is read first
    before = len(root.ContentSequence) - 1
    root.ContentSequence.insert(before, words(codes.COMMENT, conclusion(request)))
    root.ContentSequence.insert(before + 1, image_library(header, request.slices))
    root.ContentSequence.append(words(codes.COMMENT, sentence(prediction.card.intended_use)))
    return root


def _title(request: ReportRequest) -> Code:
    """Return 126000 where a finding has a region, else a title that viewers show as text.

    Under 126000 OHIF looks for coordinates in every group and shows a black viewport if one has none; under any
    other title it shows the tree as text, and no region.
    """
    return codes.IMAGING_MEASUREMENT_REPORT if mapped_scores(request) else text_title(request)


def text_title(request: ReportRequest) -> Code:
    """Return the title of a report that is read as text."""
    return codes.CHEST_CAD_REPORT if _is_of_chest_film(request) else codes.IMAGING_REPORT


def _is_of_chest_film(request: ReportRequest) -> bool:
    """Return whether a film was read; what was refused need not be of a chest."""
    return isinstance(request.outcome, Prediction) and request.slices is None


def _refusal_tree(request: ReportRequest, refusal: Refusal, header: SourceHeader) -> Dataset:
    return container(
        text_title(request),
        [
            coded(codes.LANGUAGE, codes.ENGLISH, CONCEPT_MODIFIER),
            *observer(request.equipment),
            words(codes.COMMENT, conclusion(request)),
            *not_performed(refusal),
            image_library(header),
        ],
        relationship=None,
    )


def not_performed(refusal: Refusal) -> list[sr.ContentItem]:
    """Return that there was no analysis, why as a code of the standard, and as the node's own, which is finer."""
    return [
        coded(codes.ANALYSES, codes.NOT_PERFORMED),
        coded(codes.ANALYSES, reason(refusal)),
        words(codes.COMMENT, f"Reason code: {refusal.code}"),
    ]


def procedures(request: ReportRequest, header: SourceHeader) -> list[Code]:
    """Return the procedure as the source codes it; a film without code that was read is a chest radiograph."""
    uncoded = codes.CHEST_RADIOGRAPH if _is_of_chest_film(request) else codes.DIAGNOSTIC_IMAGING
    items = header.get("ProcedureCodeSequence") or ()
    found = [
        Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
        for item in items
        if item.get("CodeValue") and item.get("CodingSchemeDesignator") and item.get("CodeMeaning")
    ]
    return [code for code in found if code.meaning.isascii() and not fault_of_code(code)] or [uncoded]


def document(request: ReportRequest, header: SourceHeader, root: Dataset, map_object: ResultObject | None) -> Dataset:
    """Return the SR Document modules around a tree (PS3.3 C.17.1, C.17.2), as a Comprehensive SR."""
    dataset = envelope(request, header, REPORT)
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = [] if isinstance(request.outcome, Refusal) else _performed(request, header)
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(request, header, map_object)]
    if request.former is not None and request.former.documents:
        dataset.PredecessorDocumentsSequence = hierarchical(request.former.documents)  # PS3.3 C.17.2, type 1C
    requests = _referenced_requests(header)
    if requests:
        dataset.ReferencedRequestSequence = requests
    dataset.update(root)
    return dataset


def _performed(request: ReportRequest, header: SourceHeader) -> list[Dataset]:
    return [code_item(code) for code in procedures(request, header)]


def _evidence(request: ReportRequest, header: SourceHeader, map_object: ResultObject | None) -> Dataset:
    """Return every instance that the tree names, by series (PS3.3 C.17.2.3)."""
    series = [_series_item(header.text.SeriesInstanceUID, references(header, request.slices))]
    if map_object is not None:
        item = Dataset()
        item.ReferencedSOPClassUID = map_object.sop_class_uid
        item.ReferencedSOPInstanceUID = map_object.uid
        series.append(_series_item(series_uid(request, HEATMAP.kind), [item]))
    study = Dataset()
    study.StudyInstanceUID = header.text.StudyInstanceUID
    study.ReferencedSeriesSequence = series
    return study


def _series_item(uid: str, instances: list[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedSOPSequence = instances
    return item


def _referenced_requests(header: SourceHeader) -> list[Dataset]:
    """Return the order that the film answers (PS3.3 C.17.2, type 1C), where the source names one."""
    found = []
    for request in header.get("RequestAttributesSequence") or ():
        item = Dataset()
        item.StudyInstanceUID = header.text.StudyInstanceUID
        item.ReferencedStudySequence = []
        item.AccessionNumber = _ascii(header.get("AccessionNumber"))
        item.RequestedProcedureCodeSequence = []
        for keyword in _REQUEST_TEXTS:
            setattr(item, keyword, _ascii(request.get(keyword)))
        found.append(item)
    return found


def _ascii(value: object) -> str:
    """Return a text that is the same in every character set, else nothing."""
    text = str(value or "")
    return text if text.isascii() else ""
