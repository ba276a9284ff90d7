"""Why no AI was performed, as codes that any reader of the standard knows."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes as dictionary

from structured_reports.build import build_results
from structured_reports.forms import BASIC_TEXT, COMPREHENSIVE
from structured_reports.port import Refusal
from structured_reports.reasons import REASONS, UNSPECIFIED, reason

CID_9300 = {
    (code.value, code.meaning)
    for code in (getattr(dictionary.cid9300, name) for name in dictionary.cid9300.dir())
    if code.scheme_designator == "DCM"
}


@pytest.mark.parametrize("code", [*REASONS.values(), UNSPECIFIED])
def test_every_reason_is_a_code_of_the_standard(code) -> None:
    assert ("DCM", True) == (code.scheme, (code.value, code.meaning) in CID_9300)


@pytest.mark.parametrize(
    ("refused", "value"), [("deadline", "110533"), ("view", "110522"), ("failed", "110501"), ("other", "110513")]
)
def test_a_refusal_carries_the_coded_reason_in_every_form(request_of, refused, value) -> None:
    request = request_of(outcome=Refusal(refused, "no result"))
    made = build_results(request, ("report",), forms=(BASIC_TEXT,))

    for form, one in zip((COMPREHENSIVE, BASIC_TEXT), made, strict=True):
        said = [
            item.ConceptCodeSequence[0]
            for item in dcmread(BytesIO(one.content)).ContentSequence
            if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == "111065"
        ]
        assert ["262008008", value] == [code.CodeValue for code in said], form
    assert reason(request.outcome).value == value
