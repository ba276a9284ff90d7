"""The header guard accepts frontal chest films and says why it refuses others."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from inference.guard import VIEW_CODES, Guard

GUARD = Guard(("CR", "DX"), ("CHEST", "THORAX"), ("AP", "PA"))
CHEST = {"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}


@pytest.mark.parametrize(
    "attributes",
    [
        CHEST,
        {},
        {"Modality": "CR"},
        CHEST | {"BodyPartExamined": "PORT CHEST", "ViewPosition": "AP SUPINE"},
        CHEST | {"ViewPosition": "", "ViewCodeSequence": "272479007"},
        CHEST | {"QualityControlImage": "NO"},
        CHEST | {"PatientOrientation": "L\\F"},
        CHEST | {"PatientOrientation": "R\\H"},
        CHEST | {"PatientOrientation": "F\\R"},
        CHEST | {"PatientOrientation": "LA\\FP"},
        CHEST | {"PatientOrientation": ""},
        CHEST | {"PresentationIntentType": "FOR PRESENTATION", "ImageType": "DERIVED\\PRIMARY"},
    ],
)
def test_a_frontal_chest_film_passes(attributes: dict[str, str]) -> None:
    assert GUARD.refusal(attributes) is None


@pytest.mark.parametrize(
    ("element", "value", "code"),
    [
        ("Modality", "CT", "modality"), ("Modality", "", "modality"), ("Modality", "MG", "modality"),
        ("BodyPartExamined", "HAND", "body-part"), ("BodyPartExamined", "TSPINE", "body-part"),
        ("ViewPosition", "LL", "view"), ("ViewPosition", "RLO", "view"),
        ("PatientOrientation", "A\\F", "view"), ("PatientOrientation", "P\\F", "view"),
        ("PatientOrientation", "L\\R", "orientation"), ("PatientOrientation", "L", "orientation"),
        ("PresentationIntentType", "FOR PROCESSING", "intent"),
        ("ImageType", "LOCALIZER", "localizer"),
        ("QualityControlImage", "YES", "phantom"), ("QualityControlImage", "BOTH", "phantom"),
    ],
)  # fmt: skip
def test_any_other_is_refused_with_its_code_and_value(element: str, value: str, code: str) -> None:
    refusal = GUARD.refusal(CHEST | {element: value})

    assert refusal is not None
    assert code == refusal.code
    assert element in refusal.reason
    assert value in refusal.reason


@pytest.mark.parametrize(
    ("element", "value", "code"),
    [
        ("Modality", "M\x1bG", "modality"), ("Modality", "DOE^JOHN", "modality"),
        ("BodyPartExamined", "DOE JOHN HIP", "body-part"), ("BodyPartExamined", "HIP\x07A", "body-part"),
        ("BodyPartExamined", "HIP\\DOE", "body-part"), ("BodyPartExamined", "RIBCAGE", "body-part"),
        ("ViewPosition", "LL\x00X", "view"), ("ViewPosition", "DOE JOHN", "view"), ("ViewPosition", "LATERAL", "view"),
        ("ViewCodeSequence", "DOE", "view"),
        ("PatientOrientation", "PDOE\\JOHN", "view"), ("PatientOrientation", "JOHN\\DOE", "orientation"),
    ],
)  # fmt: skip
def test_what_is_no_term_of_the_standard_is_refused_and_not_quoted(element: str, value: str, code: str) -> None:
    header = {**CHEST, "ViewPosition": ""} if element == "ViewCodeSequence" else CHEST

    refusal = GUARD.refusal(header | {element: value})

    assert refusal is not None
    assert refusal.code == code
    assert refusal.reason.startswith(f"{element}: none of the known terms; ")
    assert refusal.reason.isprintable()


def test_a_view_that_says_more_than_its_term_is_quoted_by_the_term() -> None:
    refusal = GUARD.refusal(CHEST | {"ViewPosition": "LL DOE JOHN"})

    assert refusal is not None
    assert refusal.reason.startswith("ViewPosition: LL; ")


def test_a_lateral_view_code_is_refused_where_no_view_position_is() -> None:
    refusal = GUARD.refusal({"Modality": "DX", "ViewCodeSequence": codes.cid4010.LeftLateral.value})

    assert refusal is not None
    assert refusal.code == "view"


def test_the_frontal_view_codes_are_those_of_the_standard() -> None:
    assert VIEW_CODES[codes.cid4010.AnteroPosterior.value] == "AP"
    assert VIEW_CODES[codes.cid4010.PosteroAnterior.value] == "PA"
