"""Every object against the checkers and readers of others."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import product
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from films import CARD, OBJECTS, OUTCOMES, SCORE, SOURCES

from structured_reports import codes
from structured_reports.build import build_results
from structured_reports.content import concept
from structured_reports.port import Refusal
from structured_reports.provenance import is_own

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def _dicom_objects(results) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(io.BytesIO(r.content)) for r in results if r.sop_class_uid]


@pytest.mark.peer
@pytest.mark.parametrize("case", OBJECTS, ids=" ".join)
def test_dciodvfy_finds_neither_error_nor_warning(case, built, run_tool, tmp_path) -> None:
    source, outcome, kind = case
    path = tmp_path / "object.dcm"
    path.write_bytes(built(source, outcome)[kind].content)

    said = run_tool("dciodvfy", "-new", path)

    assert [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))] == []


@pytest.mark.peer
@pytest.mark.parametrize("form", ["comprehensive", "basic-text"])
def test_a_reason_with_any_character_makes_a_valid_report(form, request_of, run_tool, tmp_path) -> None:
    refusal = Refusal("view", "ViewPosition: LL\0X \x1b \x07 \x85 \\ \n")
    request = replace(request_of("dx", "refused"), outcome=refusal)
    path = tmp_path / "report.dcm"
    (made,) = [one for one in build_results(request, ("report",), forms=("basic-text",)) if one.form == form]
    path.write_bytes(made.content)

    said = run_tool("dciodvfy", "-new", path)

    assert [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))] == []


@pytest.mark.peer
@pytest.mark.parametrize("program", ["dsrdump", "dsr2html"])
@pytest.mark.parametrize("case", list(product(SOURCES, OUTCOMES)), ids=" ".join)
def test_dcmtk_reads_the_report(case, program, built, run_tool, tmp_path: Path) -> None:
    source, outcome = case
    path = tmp_path / "report.dcm"
    path.write_bytes(built(source, outcome)["report"].content)

    assert run_tool(program, path, *([tmp_path / "report.html"] * (program == "dsr2html"))).returncode == 0


@pytest.mark.parametrize("source", SOURCES)
def test_highdicom_reads_the_score_back(source, built) -> None:
    document = hd.sr.srread(io.BytesIO(built(source, "positive")["report"].content))

    (group,) = document.content.get_image_measurement_groups()
    (score,) = group.get_measurements(name=concept(codes.SCORE))
    assert round(SCORE * 100, 4) == score.value


def test_highdicom_reads_the_region_back_on_the_side_of_the_map(built) -> None:
    document = hd.sr.srread(io.BytesIO(built("dx", "positive")["report"].content))

    (group,) = document.content.get_planar_roi_measurement_groups()
    middle = group.roi.value.mean(axis=0) / (250, 300)
    assert np.allclose((0.7, 0.6), middle, atol=0.02)


def test_the_region_and_the_film_level_group_are_one_finding(built) -> None:
    content = hd.sr.srread(io.BytesIO(built("dx", "positive")["report"].content)).content

    groups = [*content.get_planar_roi_measurement_groups(), *content.get_image_measurement_groups()]
    assert len({group.tracking_uid for group in groups}) == 1


def test_a_group_with_region_comes_first(built) -> None:
    tree = pydicom.dcmread(io.BytesIO(built("dx", "positive")["report"].content)).ContentSequence

    measurements = next(i for i in tree if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    first = measurements.ContentSequence[0]
    assert any(item.ValueType == "SCOORD" for item in first.ContentSequence)


@pytest.mark.parametrize(("outcome", "title"), [("positive", "126000"), ("negative", "112000"), ("refused", "18748-4")])
def test_only_a_report_with_regions_has_the_title_under_which_ohif_looks_for_them(outcome, title, built) -> None:
    report = pydicom.dcmread(io.BytesIO(built("dx", outcome)["report"].content))

    assert title == report.ConceptNameCodeSequence[0].CodeValue


def test_a_film_whose_procedure_is_not_coded_is_a_chest_radiograph_of_no_certain_number_of_views(built) -> None:
    report = pydicom.dcmread(io.BytesIO(built("dx", "positive")["report"].content))

    (performed,) = report.PerformedProcedureCodeSequence
    (reported,) = [one for one in report.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == "121058"]
    assert [("30745-4", "LN", "XR Chest Views")] * 2 == [
        (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning)
        for code in (performed, reported.ConceptCodeSequence[0])
    ]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_report_is_preliminary_and_unverified(outcome, built) -> None:
    report = pydicom.dcmread(io.BytesIO(built("cr", outcome)["report"].content))

    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")


def test_the_report_names_the_heatmap_as_evidence(built) -> None:
    results = built("cr", "positive")
    report = pydicom.dcmread(io.BytesIO(results["report"].content))

    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    named = {i.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    assert results["heatmap"].uid in named


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("source", SOURCES)
def test_a_rebuild_is_byte_identical(source, outcome, built, request_of) -> None:
    again = {result.kind: result for result in build_results(request_of(source, outcome))}

    assert built(source, outcome) == again


def test_another_score_has_another_uid(built) -> None:
    assert built("dx", "positive")["summary"].uid != built("dx", "negative")["summary"].uid


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_object_has_a_series_of_its_own(outcome, built) -> None:
    found = _dicom_objects(built("dx", outcome).values())

    assert len(found) == len({(ds.SeriesInstanceUID, ds.SeriesNumber) for ds in found})


@pytest.mark.parametrize(("source", "outcome", "kind"), OBJECTS)
def test_the_node_knows_its_own_results(source, outcome, kind, built) -> None:
    assert is_own(pydicom.dcmread(io.BytesIO(built(source, outcome)[kind].content), stop_before_pixels=True))


@pytest.mark.parametrize("source", SOURCES)
def test_the_node_does_not_take_a_film_for_its_own_result(source, header_of) -> None:
    assert not is_own(header_of(source))


def test_the_heatmap_lies_on_the_grid_of_the_film(built) -> None:
    heatmap = pydicom.dcmread(io.BytesIO(built("dx", "positive")["heatmap"].content))

    assert (
        heatmap.Rows, heatmap.Columns, list(heatmap.PixelSpacing), list(heatmap.PatientOrientation),
    ) == (300, 250, [0.2, 0.2], ["L", "F"])  # fmt: skip


@pytest.mark.parametrize("outcome", ["negative", "refused"])
def test_below_the_threshold_there_is_no_heatmap(outcome, built) -> None:
    assert "heatmap" not in built("dx", outcome)


def test_the_algorithm_is_named_with_the_digest_of_its_weights(built) -> None:
    report = built("dx", "positive")["report"].content

    assert f"weights sha256 {CARD.digest}".encode() in report
