"""A report about several findings against the checkers and readers of others."""

from __future__ import annotations

import io
from dataclasses import replace

import highdicom as hd
import pytest
from films import CARD, PNEUMONIA, request_for

from inference.types import Code, Prediction, Score
from structured_reports import codes
from structured_reports.build import build_results
from structured_reports.content import concept
from structured_reports.port import ReportRequest, ResultObject

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

EFFUSION = replace(PNEUMONIA, name="effusion", code=Code("60046008", "SCT", "Pleural effusion"))
LONG = replace(PNEUMONIA, name="finding with a name that is longer than the meaning of any code may be")


def request_of_scores(scores: dict) -> ReportRequest:
    """Return a request about a film with these scores; what is above its threshold has a map."""
    one = request_for("dx", "positive")
    saliency = one.outcome.scores[0].saliency
    said = tuple(
        Score(finding, value, saliency if value >= finding.threshold else None) for finding, value in scores.items()
    )
    return replace(one, outcome=Prediction(replace(CARD, findings=tuple(scores)), said))


def report_of(scores: dict) -> ResultObject:
    return build_results(request_of_scores(scores), ("report",))[0]


def content_of(report: ResultObject) -> hd.sr.MeasurementReport:
    return hd.sr.srread(io.BytesIO(report.content)).content


def test_each_score_says_of_which_finding_it_is_and_keeps_its_code() -> None:
    groups = content_of(report_of({PNEUMONIA: 0.9, EFFUSION: 0.8})).get_image_measurement_groups()

    found = [score for group in groups for score in group.get_measurements(name=concept(codes.SCORE))]
    assert [one.name.meaning for one in found] == [
        "Certainty of Finding (pneumonia)",
        "Certainty of Finding (effusion)",
    ]
    assert [(one.name.value, one.name.scheme_designator) for one in found] == [("111012", "DCM")] * 2


@pytest.mark.peer
def test_a_long_name_of_a_finding_makes_a_valid_report(run_tool, tmp_path) -> None:
    (tmp_path / "report.dcm").write_bytes(report_of({LONG: 0.9, EFFUSION: 0.8}).content)

    said = run_tool("dciodvfy", "-new", tmp_path / "report.dcm").stderr

    assert [line for line in said.splitlines() if line.startswith(("Error", "Warning"))] == []
