"""The result as a page to print: an Encapsulated PDF.

Unlike a picture of this node it shows whose result it is, because a sheet of paper has no header.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset

from inference.types import Prediction
from structured_reports import codes
from structured_reports.envelope import PDF, code_item, envelope
from structured_reports.errors import InvalidObjectError
from structured_reports.header import read_header
from structured_reports.image_library import references
from structured_reports.part10 import sealed
from structured_reports.pdf_page import page
from structured_reports.pdf_paper import is_printable
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.text import findings_line, fitted


def pdf(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return the page of a prediction, whatever it says; None for a study that was not read.

    Raises
    ------
    InvalidObjectError
        The page has no letters for the notice or for a finding: without them it would mislead.
    """
    prediction = request.outcome
    if not isinstance(prediction, Prediction):
        return None
    for name, words in _indispensable(request, prediction):
        if not is_printable(words):
            raise InvalidObjectError(f"{name}: {words!r} has signs that the font of the printable page lacks")
    header = read_header(request.source)
    title = fitted(f"AI report: {findings_line(prediction)}", 64)
    dataset = envelope(request, header, PDF)
    dataset.SourceInstanceSequence = references(header, request.slices)
    _add_document(dataset, title, page(request, prediction, header, title))
    return sealed(PDF.kind, dataset, header)


def _indispensable(request: ReportRequest, prediction: Prediction) -> list[tuple[str, str]]:
    return [("notice", request.notice), *(("finding", score.finding.name) for score in prediction.scores)]


def _add_document(dataset: Dataset, title: str, content: bytes) -> None:
    """Add the Encapsulated Document and SC Equipment Modules (PS3.3 C.24.2, C.8.6.1)."""
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = None
    dataset.BurnedInAnnotation = "YES"  # name, birth date and numbers of the patient
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.DocumentTitle = title
    dataset.ConceptNameCodeSequence = [code_item(codes.DIAGNOSTIC_IMAGING)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = content + b"\0" * (len(content) % 2)  # even length (PS3.5 7.1)
    dataset.EncapsulatedDocumentLength = len(content)
