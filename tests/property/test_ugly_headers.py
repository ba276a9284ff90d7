"""Whatever a hospital writes into a header: valid results of the same patient, or none and the reason."""

from __future__ import annotations

import re
import warnings
from io import BytesIO

import highdicom as hd
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from inference.types import Prediction, Score
from structured_reports.build import build_results
from structured_reports.errors import ReportError
from structured_reports.header import CARRIED
from structured_reports.port import DICOM, KINDS, Refusal, ReportRequest, ResultObject
from tests.property.test_result_names import CHEST, EQUIPMENT, request
from tests.ugly_headers import CANARY, COLUMNS, ROWS, headers

REPORTS = ("1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.11")
KEYWORDS = {*CARRIED, "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "SpecificCharacterSet", "Rows", "Columns"}


def said_of(source: Dataset, keyword: str) -> str:
    return str(source.get(keyword) or "")


def made(source: Dataset, *, refused: bool) -> tuple[ResultObject, ...]:
    like = request(0.9, "1", "0.1", 1, 0, "")
    assert isinstance(like.outcome, Prediction)
    saliency = np.zeros((ROWS, COLUMNS), np.float32)
    saliency[10:30, 12:40] = 1.0
    outcome = (
        Refusal("view", "ViewPosition: LL")
        if refused
        else Prediction(like.outcome.card, (Score(CHEST, 0.9, saliency),))
    )
    display = None if refused else np.full((ROWS, COLUMNS), 128, np.uint8)
    return build_results(ReportRequest(source, display, outcome, EQUIPMENT, like.made_at), KINDS, forms=("basic-text",))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(headers(), st.booleans())
def test_an_ugly_header_gives_valid_results_of_the_same_patient_or_none_and_the_attribute(
    source: Dataset, refused: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            results = made(source, refused=refused)
        except ReportError as error:
            assert CANARY.decode() not in str(error)
            assert any(re.search(rf"\b{keyword}\b", str(error)) for keyword in KEYWORDS), error
            return
        for one in (one for one in results if one.media_type == DICOM):
            found = dcmread(BytesIO(one.content))
            for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
                assert said_of(source, keyword).rstrip("\0") == said_of(found, keyword), (one.kind, keyword)
            found.decode()
            dcmwrite(BytesIO(), found, enforce_file_format=True)
            if one.sop_class_uid in REPORTS[:1]:
                hd.sr.srread(BytesIO(one.content))
