"""What else a destination may be sent in place of an object: other SOP classes of a report, other encodings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from io import BytesIO

from pydicom import dcmread

from structured_reports import codes
from structured_reports.basic_text import basic_text
from structured_reports.encodings import encoded, is_picture
from structured_reports.envelope import REPORT, code_item
from structured_reports.forms import BASIC_TEXT, COMPREHENSIVE, ENCODINGS, REPORT_FORMS, is_air, untitled
from structured_reports.header import read_header
from structured_reports.part10 import sealed
from structured_reports.port import Refusal, ReportRequest, ResultObject
from structured_reports.unmeasured_report import unmeasured_report


def alternatives(
    request: ReportRequest, built: Mapping[str, ResultObject], forms: Collection[str]
) -> Iterator[ResultObject]:
    """Yield the wanted forms of what was built, beside the first form of each object."""
    encodings = [encoding for encoding in ENCODINGS if encoding in forms]
    for first in filter(is_picture, built.values()):
        yield from filter(None, (encoded(first, encoding) for encoding in encodings))
    if REPORT.kind in built:
        others = sorted(form for form in forms if untitled(form) in REPORT_FORMS and form != COMPREHENSIVE)
        yield from (_report_as(form, request, built) for form in others)


def _report_as(form: str, request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
    if form == BASIC_TEXT:
        return basic_text(request, built)
    first = built[REPORT.kind]
    return replace(_restamped(first, form, request), form=form, alternative_to=first.uid)


def _restamped(first: ResultObject, form: str, request: ReportRequest) -> ResultObject:
    """Return the recorded report with another SOP class, and with the title that the form asks for.

    Its tree holds nothing that only one of the three SOP classes allows (PS3.3 A.35.2, A.35.3, A.35.13).
    """
    header = read_header(request.source)
    if is_air(form) and isinstance(request.outcome, Refusal):
        # Under the title of a measurement report another tree says that nothing was measured
        dataset = unmeasured_report(request, request.outcome, header)
    else:
        dataset = dcmread(BytesIO(first.content))
        del dataset.SOPInstanceUID  # which follows from all the rest
        if is_air(form):
            dataset.ConceptNameCodeSequence = [code_item(codes.IMAGING_MEASUREMENT_REPORT)]
    dataset.SOPClassUID = REPORT_FORMS[untitled(form)]
    return sealed(first.kind, dataset, header)
