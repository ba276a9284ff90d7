"""A report about several findings against the checkers and readers of others."""

from __future__ import annotations

import io
from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
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


CASES = {
    "all above": {PNEUMONIA: 0.9, EFFUSION: 0.8},
    "one above": {EFFUSION: 0.1, PNEUMONIA: 0.9},
    "all below": {PNEUMONIA: 0.2, EFFUSION: 0.1},
}
FORMS = ("enhanced", "comprehensive-3d", "basic-text", "air-comprehensive")


@pytest.mark.parametrize(("case", "title"), [("all above", "126000"), ("one above", "126000"), ("all below", "112000")])
def test_a_finding_below_its_threshold_takes_no_region_of_another_from_a_viewer(case, title) -> None:
    report = report_of(CASES[case])

    assert pydicom.dcmread(io.BytesIO(report.content)).ConceptNameCodeSequence[0].CodeValue == title


@pytest.mark.parametrize("case", CASES)
def test_every_finding_has_a_group_of_its_own_with_its_score(case) -> None:
    groups = content_of(report_of(CASES[case])).get_image_measurement_groups()

    scores = {
        group.finding_type.value: score.value
        for group in groups
        for score in group.get_measurements(name=concept(codes.SCORE))
    }
    assert scores == {finding.code.value: 100 * score for finding, score in CASES[case].items()}


def test_only_a_finding_above_its_threshold_has_a_region() -> None:
    (group,) = content_of(report_of(CASES["one above"])).get_planar_roi_measurement_groups()

    assert group.finding_type.value == PNEUMONIA.code.value


@pytest.mark.parametrize(("case", "numbers"), [("all above", 0), ("one above", 1), ("all below", 0)])
def test_a_score_without_region_beside_one_with_is_inferred_from_the_corners_of_the_film(case, numbers) -> None:
    groups = content_of(report_of(CASES[case])).get_image_measurement_groups()

    found = [
        item.value.tolist()
        for group in groups
        for score in group.get_measurements(name=concept(codes.SCORE))
        for item in score.referenced_coordinates
    ]
    assert found == [[[0, 0], [250, 0], [250, 300], [0, 300]]] * numbers


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_and_dcmtk_find_no_fault_in_any_form_about_several(case, run_tool, tmp_path) -> None:
    for one in build_results(request_of_scores(CASES[case]), ("report",), forms=FORMS):
        path = tmp_path / f"{one.form}.dcm"
        path.write_bytes(one.content)

        said = run_tool("dciodvfy", "-new", path).stderr

        assert [line for line in said.splitlines() if line.startswith(("Error", "Warning"))] == []
        assert run_tool("dsr2html", path, tmp_path / "page.html").returncode == 0


@pytest.mark.peer
@pytest.mark.parametrize("value", [0.4999999, np.nextafter(0.5, 0), 0.49999999999, 0.5, 0.5000001])
def test_no_score_is_rounded_across_its_threshold(value, run_tool, tmp_path) -> None:
    report = report_of({PNEUMONIA: value})
    (group,) = content_of(report).get_image_measurement_groups()
    (tmp_path / "report.dcm").write_bytes(report.content)

    numbers = [group.get_measurements(name=concept(code))[0].value for code in (codes.SCORE, codes.THRESHOLD)]
    assert (numbers[0] >= numbers[1]) == (value >= 0.5)
    assert "Error" not in run_tool("dciodvfy", "-new", tmp_path / "report.dcm").stderr
