"""One result in several forms: what they share, and what each leaves out."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from structured_reports.build import build_results
from structured_reports.encodings import encoded
from structured_reports.forms import ENCODINGS, PROFILES, REPORT_FORMS, titled
from structured_reports.header import read_header
from structured_reports.part10 import sealed
from structured_reports.port import ResultObject

AIR = tuple(titled(form, "air") for form in PROFILES["air"])
EVERY = (*REPORT_FORMS, *AIR, *ENCODINGS)


def forms_of(request, kind: str) -> dict[str, ResultObject]:
    return {one.form: one for one in build_results(request, forms=EVERY) if one.kind == kind}


def read(result: ResultObject) -> Dataset:
    return dcmread(BytesIO(result.content))


def value_types(item: Dataset) -> set[str]:
    return {item.ValueType}.union(*(value_types(child) for child in item.get("ContentSequence", ())))


@pytest.fixture
def positive(request_of, score_of, square):
    return request_of(score_of(0.9, saliency=square))


@pytest.fixture
def negative(request_of, score_of):
    return request_of(score_of(0.1))


def test_without_a_destination_that_needs_them_there_are_no_alternatives(positive) -> None:
    assert [one.kind for one in build_results(positive)] == list(dict.fromkeys(o.kind for o in build_results(positive)))


def test_each_form_of_the_report_is_an_instance_of_its_own_sop_class(positive) -> None:
    forms = forms_of(positive, "report")

    assert REPORT_FORMS == {form: forms[form].sop_class_uid for form in REPORT_FORMS}
    assert len(REPORT_FORMS) == len({forms[form].uid for form in REPORT_FORMS})


def test_the_forms_of_a_report_lie_in_one_series_of_which_one_is_sent(positive) -> None:
    assert 1 == len({read(one).SeriesInstanceUID for one in forms_of(positive, "report").values()})


def test_every_alternative_names_the_first_form(positive) -> None:
    first = forms_of(positive, "report")["comprehensive"]

    assert {"", first.uid} == {one.alternative_to for one in forms_of(positive, "report").values()}


@pytest.mark.parametrize("form", ["enhanced", "comprehensive-3d"])
def test_another_sop_class_has_the_same_tree(form, positive) -> None:
    forms = forms_of(positive, "report")

    assert read(forms["comprehensive"]).ContentSequence == read(forms[form]).ContentSequence


def test_forms_are_the_same_bytes_when_they_are_made_again(positive) -> None:
    assert build_results(positive, forms=EVERY) == build_results(positive, forms=EVERY)


@pytest.mark.parametrize("form", [form for form in AIR if form != "basic-text"])
def test_ihe_ai_results_has_one_title_with_and_without_a_region(form, positive, negative) -> None:
    titles = {read(forms_of(one, "report")[form]).ConceptNameCodeSequence[0].CodeValue for one in (positive, negative)}

    assert {"126000"} == titles


def test_ihe_ai_results_has_that_title_too_where_no_ai_was_performed(request_of) -> None:
    forms = forms_of(request_of(), "report")
    titles = {form: read(one).ConceptNameCodeSequence[0].CodeValue for form, one in forms.items()}

    # A plain text has one title, whoever asks
    other = titles["comprehensive"]
    assert titles == {form: "126000" if form.startswith("air-") else other for form in titles}
    assert "126000" != other


@pytest.mark.parametrize("form", [form for form in AIR if form != "basic-text"])
def test_a_measurement_report_without_measurement_says_why_in_qualitative_evaluations(form, request_of) -> None:
    report = read(forms_of(request_of(), "report")[form])
    named = {item.ConceptNameCodeSequence[0].CodeValue: item for item in report.ContentSequence}

    # TID 1500, rows 4, 5 and 12; no row 6, which holds measurements
    assert {"121058", "111028", "C0034375"} == {"121058", "111028", "126010", "C0034375"} & set(named)
    why = [one.ConceptCodeSequence[0].CodeMeaning for one in named["C0034375"].ContentSequence[:2]]
    first = read(forms_of(request_of(), "report")["comprehensive"])
    assert why == [one.ConceptCodeSequence[0].CodeMeaning for one in first.ContentSequence if _says_why(one)]
    assert "Not performed" == why[0]


def test_what_was_refused_and_names_no_procedure_is_called_no_chest_film(request_of) -> None:
    request = request_of()
    if "ProcedureCodeSequence" in request.source:
        del request.source.ProcedureCodeSequence
    items = read(forms_of(request, "report")["air-comprehensive"]).ContentSequence

    (procedure,) = [one for one in items if one.ConceptNameCodeSequence[0].CodeValue == "121058"]
    assert "18748-4" == procedure.ConceptCodeSequence[0].CodeValue


def _says_why(item: Dataset) -> bool:
    return item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == "111065"


def test_where_the_title_is_the_same_so_is_the_instance(positive) -> None:
    forms = forms_of(positive, "report")

    assert forms["enhanced"].content == forms["air-enhanced"].content


@pytest.mark.parametrize("case", ["positive", "negative"])
def test_plain_text_holds_what_its_sop_class_knows(case, request) -> None:
    types = value_types(read(forms_of(request.getfixturevalue(case), "report")["basic-text"]))

    assert types <= {"CONTAINER", "TEXT", "CODE", "UIDREF", "IMAGE", "COMPOSITE"}  # PS3.3 Table A.35.1-2


def test_plain_text_says_score_threshold_and_notice(negative) -> None:
    content = forms_of(negative, "report")["basic-text"].content

    assert b"Pneumonia: AI score 10 %, threshold 50 %, below threshold" in content
    assert negative.notice.encode() in content


def test_plain_text_says_why_a_study_was_not_read(request_of) -> None:
    content = forms_of(request_of(), "report")["basic-text"].content

    assert b"AI NOT PERFORMED: No chest film." in content


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_of_a_picture_is_the_same_instance(encoding, positive) -> None:
    for kind in ("summary", "heatmap"):
        first, other = (forms_of(positive, kind)[form] for form in ("", encoding))

        assert (first.uid, first.uid, ENCODINGS[encoding]) == (
            other.uid,
            other.alternative_to,
            other.transfer_syntax_uid,
        )
        assert (read(first).pixel_array == read(other).pixel_array).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_changes_nothing_but_how_pixels_are_written(encoding, positive) -> None:
    first, other = (read(forms_of(positive, "heatmap")[form]) for form in ("", encoding))

    changed = {element.keyword for element in first if element != other[element.tag]}
    assert changed <= {"PixelData", "PhotometricInterpretation"}
    assert [element.tag for element in first] == [element.tag for element in other]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("shape", [(64, 33), (101, 257), (256, 255), (300, 250)])
def test_no_pixel_differs_whatever_the_picture(encoding, shape, header) -> None:
    noise = np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for picture in (noise, np.zeros_like(noise), np.full_like(noise, 255), noise // 64 * 85):
        first = _capture(picture, header)

        assert (picture == read(encoded(first, encoding)).pixel_array.reshape(picture.shape)).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_picture_that_an_encoder_refuses_has_no_second_form(encoding, header) -> None:
    dot = _capture(np.random.default_rng(0).integers(0, 256, (1, 1, 3), dtype=np.uint8), header)

    assert encoded(dot, encoding) is None


def _capture(picture: np.ndarray, header: Dataset) -> ResultObject:
    ds = Dataset()
    ds.update({tag: header[tag] for tag in header.keys()})  # noqa: SIM118
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.set_original_encoding(False, True, ["iso8859"])
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = picture.shape[:2]
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    content = picture.tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OB"
    made = sealed("heatmap", ds, read_header(header))
    assert ExplicitVRLittleEndian == made.transfer_syntax_uid
    return made
