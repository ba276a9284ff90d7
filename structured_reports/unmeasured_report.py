"""What says that no AI was performed, for who asks for the title of a measurement report in any case (IHE AI Results).

TID 1500 asks for measurements or for qualitative evaluations. Where nothing was measured, the latter say why.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from inference.types import Code
from structured_reports import codes
from structured_reports.content import CONCEPT_MODIFIER, coded, container, observer, separate, words
from structured_reports.header import SourceHeader
from structured_reports.image_library import image_library
from structured_reports.port import Refusal, ReportRequest
from structured_reports.report import document, not_performed, procedures
from structured_reports.text import conclusion

QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")  # TID 1500, row 12
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")  # TID 1500, row 4


def unmeasured_report(request: ReportRequest, refusal: Refusal, header: SourceHeader) -> Dataset:
    """Return the document, as a Comprehensive SR.

    References
    ----------
    * DICOM Standard, Part 16, TID 1500 (Measurement Report)
    """
    items = [
        coded(codes.LANGUAGE, codes.ENGLISH, CONCEPT_MODIFIER),
        *observer(request.equipment),
        *(coded(PROCEDURE_REPORTED, code, CONCEPT_MODIFIER) for code in procedures(request, header)),
        words(codes.COMMENT, conclusion(request)),
        image_library(header),
        container(QUALITATIVE_EVALUATIONS, not_performed(refusal)),
    ]
    root = container(codes.IMAGING_MEASUREMENT_REPORT, items, relationship=None)
    root.ContentTemplateSequence = [_template()]
    separate(root)
    return document(request, header, root, None)


def _template() -> Dataset:
    item = Dataset()
    item.MappingResource = "DCMR"
    item.TemplateIdentifier = "1500"
    return item
