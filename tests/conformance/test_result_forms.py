"""Every form of the report and every encoding of a picture against the checkers and readers of others."""

from __future__ import annotations

import io
from functools import cache
from itertools import product
from pathlib import Path

import highdicom as hd
import pydicom
import pytest
from films import OBJECTS, OUTCOMES, SCORE, SOURCES, request_for
from pydicom.uid import BasicTextSRStorage

from structured_reports import codes
from structured_reports.alternatives import alternatives
from structured_reports.content import concept
from structured_reports.forms import BASIC_TEXT, ENCODINGS, PROFILES, REPORT_FORMS, titled
from structured_reports.port import ResultObject

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

AIR = tuple(titled(form, "air") for form in PROFILES["air"] if form != BASIC_TEXT)
OTHERS = (*(form for form in REPORT_FORMS if form != "comprehensive"), *AIR)
TREES = tuple(form for form in OTHERS if form != BASIC_TEXT)


@pytest.fixture(scope="module")
def form_of(built):
    """Return a function that gives an object of a source and an outcome in a form."""

    @cache
    def every(source: str, outcome: str) -> dict[tuple[str, str], ResultObject]:
        found = alternatives(request_for(source, outcome), built(source, outcome), (*OTHERS, *ENCODINGS))
        return {(one.kind, one.form): one for one in found}

    return lambda source, outcome, kind, form: every(source, outcome)[kind, form]


def faults(run_tool, path: Path) -> list[str]:
    said = run_tool("dciodvfy", "-new", path).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.peer
@pytest.mark.parametrize("case", list(product(SOURCES, OUTCOMES, OTHERS)), ids=" ".join)
def test_dciodvfy_finds_neither_error_nor_warning_in_a_form(case, form_of, run_tool, tmp_path) -> None:
    source, outcome, form = case
    path = tmp_path / "report.dcm"
    path.write_bytes(form_of(source, outcome, "report", form).content)

    assert [] == faults(run_tool, path)


@pytest.mark.peer
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", [case for case in OBJECTS if case[2] in ("summary", "heatmap")], ids=" ".join)
def test_dciodvfy_finds_neither_error_nor_warning_in_an_encoding(case, encoding, form_of, run_tool, tmp_path) -> None:
    path = tmp_path / "picture.dcm"
    path.write_bytes(form_of(*case, encoding).content)

    assert [] == faults(run_tool, path)


@pytest.mark.peer
def test_dciodvfy_knows_that_plain_text_has_no_numbers(form_of, run_tool, tmp_path) -> None:
    wrong = pydicom.dcmread(io.BytesIO(form_of("dx", "positive", "report", "enhanced").content))
    wrong.SOPClassUID = wrong.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    wrong.save_as(tmp_path / "wrong.dcm")

    assert [] != faults(run_tool, tmp_path / "wrong.dcm")


@pytest.mark.peer
@pytest.mark.parametrize("program", ["dsrdump", "dsr2html"])
@pytest.mark.parametrize("case", list(product(SOURCES, OUTCOMES, OTHERS)), ids=" ".join)
def test_dcmtk_reads_every_form(case, program, form_of, run_tool, tmp_path: Path) -> None:
    source, outcome, form = case
    path = tmp_path / "report.dcm"
    path.write_bytes(form_of(source, outcome, "report", form).content)

    assert run_tool(program, path, *([tmp_path / "report.html"] * (program == "dsr2html"))).returncode == 0


@pytest.mark.parametrize(("source", "form"), list(product(SOURCES, TREES)))
def test_highdicom_reads_score_and_region_back_from_every_tree(source, form, built, form_of) -> None:
    first = hd.sr.srread(io.BytesIO(built(source, "positive")["report"].content)).content
    other = hd.sr.srread(io.BytesIO(form_of(source, "positive", "report", form).content)).content

    ((score,),) = [group.get_measurements(name=concept(codes.SCORE)) for group in other.get_image_measurement_groups()]
    assert round(SCORE * 100, 4) == score.value
    regions = [[g.roi.value.tolist() for g in one.get_planar_roi_measurement_groups()] for one in (first, other)]
    assert regions[0] == regions[1] != []
    tracking = [[g.tracking_uid for g in one.get_image_measurement_groups()] for one in (first, other)]
    assert tracking[0] == tracking[1]


@pytest.mark.parametrize(("source", "form"), list(product(SOURCES, TREES)))
def test_highdicom_reads_a_result_below_the_threshold_back_from_every_tree(source, form, form_of) -> None:
    content = hd.sr.srread(io.BytesIO(form_of(source, "negative", "report", form).content)).content

    ((score,),) = [g.get_measurements(name=concept(codes.SCORE)) for g in content.get_image_measurement_groups()]
    assert (12.34, []) == (score.value, content.get_planar_roi_measurement_groups())


@pytest.mark.parametrize(("source", "form"), list(product(SOURCES, AIR)))
def test_highdicom_reads_a_measurement_report_without_measurement_where_no_ai_was_performed(
    source, form, form_of
) -> None:
    content = hd.sr.srread(io.BytesIO(form_of(source, "refused", "report", form).content)).content

    assert isinstance(content, hd.sr.MeasurementReport)
    assert [] == [*content.get_image_measurement_groups(), *content.get_planar_roi_measurement_groups()]


@pytest.mark.parametrize(("source", "outcome", "form"), list(product(SOURCES, OUTCOMES, OTHERS)))
def test_every_form_names_the_patient_as_the_film_does(source, outcome, form, header_of, form_of) -> None:
    read = pydicom.dcmread(io.BytesIO(form_of(source, outcome, "report", form).content))
    film = header_of(source)

    # pydicom leaves the switch to GB 2312 in what it decodes
    assert str(film.get("PatientName", "")).replace("\x1b$)A", "") == str(read.PatientName)
    assert (film.PatientID, film.StudyInstanceUID) == (read.PatientID, read.StudyInstanceUID)
