"""Presentation state, segmentations, PDF and key objects against the checkers and readers of others."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import cv2
import highdicom as hd
import numpy as np
import pydicom
import pytest
from films import SCORE, SOURCES, request_for, source_header

from inference.film import to_radiograph
from structured_reports.build import build_results
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.provenance import is_own
from structured_reports.regions import regions_of
from structured_reports.slices import Slice, Slices

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

OPTIONAL = ("gsps", "seg", "seg-fractional", "pdf", "kos")
CASES = [*product(SOURCES, ("positive",), OPTIONAL), *((source, "negative", "pdf") for source in SOURCES)]
NAMES = ("summary", "heatmap", *OPTIONAL)


@pytest.fixture(scope="session")
def made() -> Callable[[str, str], dict[str, ResultObject]]:
    """Return a function that gives every object of a source and an outcome, built once."""

    @cache
    def results(source: str, outcome: str) -> dict[str, ResultObject]:
        kinds = ("summary", "heatmap", "report", *OPTIONAL)
        return {result.kind: result for result in build_results(request_for(source, outcome), kinds)}

    return results


def _read(result: ResultObject) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(result.content))


def _map(source: str) -> np.ndarray:
    return request_for(source, "positive").outcome.scores[0].saliency


def _pdf(result: ResultObject, folder: Path) -> Path:
    read = _read(result)
    path = folder / "page.pdf"
    path.write_bytes(read.EncapsulatedDocument[: read.EncapsulatedDocumentLength])
    return path


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_dciodvfy_finds_neither_error_nor_warning(case, made, run_tool, tmp_path) -> None:
    source, outcome, kind = case
    path = tmp_path / "object.dcm"
    path.write_bytes(made(source, outcome)[kind].content)

    said = run_tool("dciodvfy", "-new", path)

    assert [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))] == []


@pytest.mark.peer
@pytest.mark.parametrize("source", SOURCES)
def test_dcmtk_accepts_the_presentation_state(source, made, run_tool, tmp_path) -> None:
    state = _read(made(source, "positive")["gsps"])
    if state.get("SpecificCharacterSet") == "ISO_IR 192":
        # Its checker of names knows no UTF-8, and takes an equals sign for an error
        for keyword in ("PatientName", "ReferringPhysicianName"):
            setattr(state, keyword, state[keyword].value.alphabetic)
    state.save_as(tmp_path / "state.dcm")

    said = run_tool("dcmpschk", tmp_path / "state.dcm").stderr

    # A name may be empty (PS3.3 C.7.1.1, type 2); DCMTK asks for one, and a name that the film does not have would be
    # another patient's
    unnamed = "patientName absent or empty in presentation state" in said
    assert ("Test passed" in said, unnamed) == ((False, True) if source == "minimal" else (True, False))


@pytest.mark.peer
def test_a_film_looks_the_same_under_its_presentation_state(run_tool, tmp_path) -> None:
    """DCMTK applies the state to the film (MONOCHROME1, a window, 15 bits): it must show what the node displayed."""
    header = source_header("rg1")
    shown = np.round(to_radiograph(pydicom.dcmread(header.filename)).pixels * 255)
    (state,) = build_results(request_for(header, "positive"), ("gsps",))
    (tmp_path / "state.dcm").write_bytes(state.content)

    run_tool("dcmp2pgm", "-p", tmp_path / "state.dcm", header.filename, tmp_path / "shown.pgm")

    rendered = cv2.imread(str(tmp_path / "shown.pgm"), cv2.IMREAD_GRAYSCALE)
    assert np.abs(rendered.astype(int) - shown).max() <= 1


def test_the_contour_is_the_region_of_the_report(made) -> None:
    (annotation,) = _read(made("dx", "positive")["gsps"]).GraphicAnnotationSequence

    drawn = np.reshape(annotation.GraphicObjectSequence[0].GraphicData, (-1, 2))
    assert np.allclose(regions_of(_map("dx"))[0].points, drawn)


def test_the_presentation_state_says_notice_score_and_threshold(made) -> None:
    (annotation,) = _read(made("dx", "positive")["gsps"]).GraphicAnnotationSequence

    words = annotation.TextObjectSequence[0].UnformattedTextValue
    assert words.splitlines()[:2] == [
        "AI RESULT - NOT FOR DIAGNOSTIC USE",
        f"Pneumonia: AI score {SCORE:.0%}, threshold 50%, above threshold".replace("%", " %"),
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_highdicom_reads_the_regions_back(source, made) -> None:
    segmentation = hd.seg.segread(io.BytesIO(made(source, "positive")["seg"].content))
    saliency = _map(source)

    mask = segmentation.pixel_array.reshape(saliency.shape) > 0

    # One hill without holes: its only region is what is at half of the peak and above
    assert np.array_equal(saliency >= 0.5 * saliency.max(), mask)


@pytest.mark.parametrize("source", ["dx", "rg1"])
def test_a_segment_covers_what_the_line_of_the_report_goes_around(source, made) -> None:
    segmentation = hd.seg.segread(io.BytesIO(made(source, "positive")["seg"].content))
    (region,) = regions_of(_map(source))
    line = np.round(region.points - 0.5).astype(np.int32)
    around = cv2.fillPoly(np.zeros(region.grid, np.uint8), [line], 1) > 0

    mask = segmentation.pixel_array.reshape(region.grid) > 0

    # The line is simplified by at most a pixel of a film of 2000
    assert (mask ^ around).sum() <= 0.002 * mask.sum()


@pytest.mark.parametrize("source", SOURCES)
def test_highdicom_reads_the_map_back_within_a_step(source, made) -> None:
    segmentation = hd.seg.segread(io.BytesIO(made(source, "positive")["seg-fractional"].content))
    saliency = _map(source)

    values = segmentation.pixel_array.reshape(saliency.shape) / segmentation.MaximumFractionalValue

    assert np.abs(values - saliency).max() <= 1 / 255


def test_a_segment_names_finding_algorithm_and_the_same_tracking_uid_as_the_report(made) -> None:
    results = made("dx", "positive")
    segmentation = hd.seg.segread(io.BytesIO(results["seg"].content))
    report = hd.sr.srread(io.BytesIO(results["report"].content))

    description = segmentation.get_segment_description(1)
    (group,) = report.content.get_image_measurement_groups()
    assert (
        description.segmented_property_type.value,
        description.algorithm_identification[0].AlgorithmName,
        description.tracking_uid,
    ) == ("233604007", "test-model", group.tracking_uid)


@pytest.mark.peer
@pytest.mark.parametrize("source", SOURCES)
def test_dcmtk_reads_the_key_objects_with_the_film_and_every_result_but_the_report(
    source, made, run_tool, tmp_path
) -> None:
    results = made(source, "positive")
    path = tmp_path / "keys.dcm"
    path.write_bytes(results["kos"].content)

    dumped = run_tool("dsrdump", path)
    raw = run_tool("dcmdump", "+P", "ReferencedSOPInstanceUID", path)

    named = {line.split("[")[1].split("]")[0] for line in raw.stdout.splitlines()}
    wanted = {results[kind].uid for kind in NAMES if kind != "kos"} | {str(source_header(source).SOPInstanceUID)}
    assert (dumped.returncode, named) == (0, wanted)


@pytest.mark.peer
@pytest.mark.parametrize("source", SOURCES)
def test_the_page_says_notice_score_threshold_and_whose_it_is(source, made, run_tool, tmp_path) -> None:
    text = run_tool("pdftotext", "-layout", _pdf(made(source, "positive")["pdf"], tmp_path), "-").stdout
    header = source_header(source)

    wanted = ["AI RESULT - NOT FOR DIAGNOSTIC USE", "87 %", "50 %", "ABOVE THRESHOLD", str(header.PatientID)]
    wanted += [str(header[keyword].value) for keyword in ("AccessionNumber",) if header.get(keyword)]
    wanted += [header.PatientName.family_name] if header.get("PatientName") else []
    born = str(header.get("PatientBirthDate") or "")
    wanted += [f"{born[:4]}-{born[4:6]}-{born[6:]}"] if born else []
    assert [] == [words for words in wanted if words not in text]


@pytest.mark.peer
@pytest.mark.parametrize("outcome", ["positive", "negative"])
def test_the_page_is_one_and_shows_the_film(outcome, made, run_tool, tmp_path) -> None:
    page = _pdf(made("rg1", outcome)["pdf"], tmp_path)

    run_tool("pdftoppm", "-r", "50", "-png", page, tmp_path / "shown")

    (picture,) = sorted(tmp_path.glob("shown*.png"))
    shown = cv2.imread(str(picture))
    # The film is a ramp of grey; only the map is coloured
    coloured = np.ptp(shown.astype(int), axis=2) > 40
    assert (shown.shape[:2], bool(coloured[:, shown.shape[1] // 2 :].any())) == ((550, 414), outcome == "positive")
    assert ((shown > 40) & (shown < 215)).all(axis=2).mean() > 0.1
    assert not coloured[:, : shown.shape[1] // 2].any()


@pytest.mark.peer
def test_every_font_of_the_page_is_embedded(made, run_tool, tmp_path) -> None:
    listed = run_tool("pdffonts", _pdf(made("dx", "positive")["pdf"], tmp_path)).stdout.splitlines()[2:]

    assert [["yes", "yes", "yes"]] * 2 == [line.split()[-5:-2] for line in listed]


def test_the_page_is_marked_as_one_that_shows_identity(made) -> None:
    assert _read(made("dx", "positive")["pdf"]).BurnedInAnnotation == "YES"


@pytest.mark.parametrize("source", SOURCES)
def test_a_rebuild_is_byte_identical(source, made, request_of) -> None:
    again = {result.kind: result for result in build_results(request_of(source, "positive"), OPTIONAL[:-1])}

    assert {kind: made(source, "positive")[kind] for kind in OPTIONAL[:-1]} == again


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_makes_the_same_bytes(seed, made) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from films import request_for; "
        "from structured_reports.build import build_results; "
        f"print(*[r.uid for r in build_results(request_for('dx', 'positive'), {OPTIONAL[:-1]!r})])"
    )
    folder = Path(__file__).parent
    said = subprocess.run(
        [sys.executable, "-c", program, folder],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": seed, "PATH": ""},
        cwd=folder.parents[1],
    )

    # A UID follows from all bytes of its object
    assert [made("dx", "positive")[kind].uid for kind in OPTIONAL[:-1]] == said.stdout.split()


def test_every_object_has_a_series_of_its_own(made) -> None:
    found = [_read(result) for result in made("dx", "positive").values()]

    assert len(found) == len({ds.SeriesInstanceUID for ds in found}) == len({ds.SeriesNumber for ds in found})


@pytest.mark.parametrize(("source", "outcome", "kind"), CASES)
def test_the_node_knows_its_own_results(source, outcome, kind, made) -> None:
    assert is_own(_read(made(source, outcome)[kind]))


@pytest.mark.parametrize("source", SOURCES)
def test_identity_is_that_of_the_film(source, made) -> None:
    header = source_header(source)
    keywords = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID")
    # pydicom leaves the switch to GB 2312 in what it decodes
    expected = [str(header.get(keyword) or "").replace("\x1b$)A", "") for keyword in keywords]

    found = [_read(made(source, "positive")[kind]) for kind in OPTIONAL]

    assert found
    assert [expected] * len(found) == [[str(ds.get(keyword) or "") for keyword in keywords] for ds in found]


@pytest.mark.peer
def test_the_page_of_a_series_says_which_slice_it_shows_and_names_all(request_of, run_tool, tmp_path) -> None:
    request = request_of("dx", "positive")
    shown = Slice(str(request.source.SOPClassUID), str(request.source.SOPInstanceUID))
    slices = Slices((Slice(shown.sop_class_uid, "2.25.77"), shown), 1, "feet", -12.5, 5.0)

    (made_page,) = build_results(replace(request, slices=slices), ("pdf",))

    named = [one.ReferencedSOPInstanceUID for one in _read(made_page).SourceInstanceSequence]
    text = run_tool("pdftotext", "-layout", _pdf(made_page, tmp_path), "-").stdout
    assert ("slice 2 of 2 from the feet, at -12.5 mm" in text, named) == (True, ["2.25.77", shown.sop_instance_uid])


def _kinds(request: ReportRequest) -> list[str]:
    return [result.kind for result in build_results(request, OPTIONAL)]


@pytest.mark.parametrize(("outcome", "kinds"), [("negative", ["pdf"]), ("refused", [])])
def test_below_the_threshold_nothing_points_into_the_film(outcome, kinds, request_of) -> None:
    assert kinds == _kinds(request_of("dx", outcome))


def test_none_of_them_is_made_unless_asked_for(built) -> None:
    assert not set(OPTIONAL) & set(built("dx", "positive"))
