"""What results must say beside what they show: spacing, burnt-in words, compression, the order, the explanation."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from films import OUTCOMES, request_for, source_header, written_and_read
from pydicom.dataset import Dataset

from structured_reports.build import build_results
from structured_reports.port import ResultObject

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


FORMS = ("enhanced", "comprehensive-3d", "basic-text", "air-comprehensive")


def film(**values: object) -> Dataset:
    """Return the header of a film with some values, as a receiver has it; None for an absent one."""
    header = source_header("dx")
    for keyword, value in values.items():
        if value is None:
            del header[keyword]
        else:
            setattr(header, keyword, value)
    return written_and_read(header)


def built_of(header: Dataset, *kinds: str, outcome: str = "positive") -> dict[str, ResultObject]:
    return {one.kind: one for one in build_results(request_for(header, outcome), kinds)}


def read(result: ResultObject) -> Dataset:
    return pydicom.dcmread(io.BytesIO(result.content))


def report_of(outcome: str) -> Dataset:
    return read(built_of(film(), "report", outcome=outcome)["report"])


def items_of(item: Dataset) -> list[Dataset]:
    """Return a content item and all below it."""
    return [item, *(one for child in item.get("ContentSequence") or () for one in items_of(child))]


def named(item: Dataset) -> str:
    """Return the code of the name of a content item."""
    sequence = item.get("ConceptNameCodeSequence")
    return str(sequence[0].CodeValue) if sequence else ""


def faults(run_tool, path: Path, result: ResultObject) -> list[str]:
    path.write_bytes(result.content)
    said = run_tool("dciodvfy", "-new", path).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


SPACINGS = {
    "of the detector alone": (
        {"PixelSpacing": None, "ImagerPixelSpacing": [0.143, 0.143]}, "NominalScannedPixelSpacing", [0.143, 0.143],
    ),
    "of the detector alone, not square": (
        {"PixelSpacing": None, "ImagerPixelSpacing": [0.4, 0.1]}, "NominalScannedPixelSpacing", [0.4, 0.1],
    ),
    "of a scanned film": (
        {"PixelSpacing": None, "ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.1, 0.2]},
        "NominalScannedPixelSpacing", [0.1, 0.2],
    ),
    "proportions alone": (
        {"PixelSpacing": None, "ImagerPixelSpacing": None, "PixelAspectRatio": [4, 1]}, "PixelAspectRatio", [4, 1],
    ),
    "in the patient": ({"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.2, 0.3]}, "PixelSpacing", [0.2, 0.3]),
    "none": ({"PixelSpacing": None, "ImagerPixelSpacing": None}, "", []),
}  # fmt: skip
SAID_BY_SPACING = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


@pytest.mark.peer
@pytest.mark.parametrize("name", SPACINGS)
def test_a_heatmap_says_of_its_pixels_what_the_film_says(name, run_tool, tmp_path) -> None:
    values, keyword, spacing = SPACINGS[name]

    heatmap = built_of(film(**values), "heatmap")["heatmap"]

    found = {one: list(read(heatmap)[one].value) for one in SAID_BY_SPACING if one in read(heatmap)}
    assert found == ({keyword: spacing} if keyword else {})
    assert [] == faults(run_tool, tmp_path / "heatmap.dcm", heatmap)


@pytest.mark.parametrize("form", ["comprehensive", *FORMS])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_container_of_a_report_keeps_its_items_apart(outcome, form) -> None:
    """OHIF and DCMTK write the items of a CONTINUOUS container in one line, without their names (PS3.3 C.18.8)."""
    made = build_results(request_for("dx", outcome), ("report",), forms=FORMS)
    (report,) = [read(one) for one in made if one.form == form]

    containers = [one for one in items_of(report) if one.ValueType == "CONTAINER"]

    assert containers
    assert {"SEPARATE"} == {one.ContinuityOfContent for one in containers}


def test_a_finding_is_tracked_by_a_name_of_our_own() -> None:
    """OHIF takes Cornerstone3DTools@... for a measurement of its own, and replaces the score by an area."""
    tracked = [one.TextValue for one in items_of(report_of("positive")) if named(one) == "112039"]

    assert ["AI pneumonia"] * 2 == tracked


@pytest.mark.parametrize("outcome", ["positive", "negative"])
def test_score_and_threshold_are_percentages(outcome) -> None:
    """OHIF writes the code of the unit behind the number."""
    numbers = [one for one in items_of(report_of(outcome)) if named(one) in ("111012", "122411")]

    units = [one.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0] for one in numbers]
    assert [("%", "UCUM")] * 2 == [(unit.CodeValue, unit.CodingSchemeDesignator) for unit in units]


def test_the_region_names_the_heatmap_as_its_visual_explanation() -> None:
    results = built_of(film(), "heatmap", "report")
    groups = [one for one in items_of(read(results["report"])) if named(one) == "125007"]

    explained = [[one for one in group.ContentSequence if named(one) == "130401"] for group in groups]

    assert [1, 0] == [len(shown) for shown in explained]  # the region, not the film as a whole (TID 1410)
    assert "IMAGE" == explained[0][0].ValueType
    assert results["heatmap"].uid == explained[0][0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID


BURNED_IN = {"summary": "YES", "heatmap": "YES", "pdf": "YES", "seg": "NO", "seg-fractional": "NO"}


def test_an_object_says_whether_words_are_burned_in() -> None:
    results = built_of(film(), *BURNED_IN)

    assert BURNED_IN == {kind: read(one).BurnedInAnnotation for kind, one in results.items()}


@pytest.mark.parametrize("outcome", ["negative", "refused"])
def test_a_page_without_map_has_words_burned_in_too(outcome) -> None:
    assert "YES" == read(built_of(film(), "summary", outcome=outcome)["summary"]).BurnedInAnnotation


COMPRESSED = {
    "LossyImageCompression": "01", "LossyImageCompressionRatio": 10.0, "LossyImageCompressionMethod": "ISO_10918_1",
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["summary", "heatmap", "seg", "seg-fractional"])
def test_what_is_made_of_a_film_that_was_compressed_with_loss_says_so(kind, run_tool, tmp_path) -> None:
    """Once lost is lost for ever (PS3.3 C.7.6.1.1.5)."""
    result = built_of(film(**COMPRESSED), kind)[kind]

    assert "01" == read(result).LossyImageCompression
    assert [] == faults(run_tool, tmp_path / "object.dcm", result)


def test_a_page_of_words_about_such_a_film_has_lost_nothing() -> None:
    page = read(built_of(film(**COMPRESSED), "summary", outcome="refused")["summary"])

    assert "LossyImageCompression" not in page


@pytest.mark.peer
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_report_names_the_order_that_the_film_answers(outcome, run_tool, tmp_path) -> None:
    order = Dataset()
    order.RequestedProcedureID, order.RequestedProcedureDescription = "RP-1", "Chest, two views"
    order.FillerOrderNumberImagingServiceRequest = "F-2"

    result = built_of(film(RequestAttributesSequence=[order]), "report", outcome=outcome)["report"]

    (named_order,) = read(result).ReferencedRequestSequence
    assert ("A-77", "RP-1", "F-2", "Chest, two views") == (
        named_order.AccessionNumber,
        named_order.RequestedProcedureID,
        named_order.FillerOrderNumberImagingServiceRequest,
        named_order.RequestedProcedureDescription,
    )
    assert [] == faults(run_tool, tmp_path / "report.dcm", result)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (["l", "f"], ["L", "F"]), (["PL", "F"], ["PL", "F"]), (["LEFT", "FOOT"], None), (["DOE", "JOHN"], None),
        (["L\x07", "F"], None), (["L", "F", "H"], None),
    ],
)  # fmt: skip
def test_an_orientation_is_said_where_it_is_one(sent, said, run_tool, tmp_path) -> None:
    results = built_of(film(PatientOrientation=sent), "heatmap", "seg", "report")

    for kind, result in results.items():
        assert [] == faults(run_tool, tmp_path / f"{kind}.dcm", result)
    rows_and_columns = [
        one.TextValue for one in items_of(read(results["report"])) if named(one) in ("111044", "111043")
    ]
    assert (said or []) == rows_and_columns
    assert [said or ""] * 2 == [
        value if isinstance(value, str) else list(value or "")
        for value in (read(results[kind]).PatientOrientation or "" for kind in ("heatmap", "seg"))
    ]


@pytest.mark.peer
@pytest.mark.parametrize(("part", "said"), [("KNEE", "KNEE"), ("HÜFTE", None), ("B" * 17, None), ("KNEE LEFT", None)])
def test_a_page_about_what_was_refused_names_a_body_part_that_is_one(part, said, run_tool, tmp_path) -> None:
    source = film(BodyPartExamined=part, Laterality="R")

    page = built_of(source, "summary", outcome="refused")["summary"]

    assert said == read(page).get("BodyPartExamined")
    assert [] == faults(run_tool, tmp_path / "page.dcm", page)
