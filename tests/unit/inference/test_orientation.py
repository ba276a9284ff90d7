"""A header that says how the film lies is believed; one that says nonsense is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from film_datasets import LAID
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.errors import NOT_FRONTAL, UnsuitableFilmError
from inference.film import display_pixels, read_film, to_radiograph
from inference.models import Model
from inference.orientation import Orientation, orientation_of
from inference.types import Radiograph, Score

TURNED = sorted(set(LAID) - {("L", "F")})


def laid(clinical_film: Path, directions: tuple[str, str]) -> Dataset:
    """Return the clinical film stored as a header with these directions says."""
    dataset = dcmread(clinical_film)
    values = np.ascontiguousarray(LAID[directions](dataset.pixel_array))
    dataset.Rows, dataset.Columns = values.shape
    dataset.PixelData, dataset.PatientOrientation = values.tobytes(), list(directions)
    return dataset


def score_of(model: Model, film: Radiograph) -> Score:
    prepared = model.prepare(film)
    (answer,) = model.predict([prepared])
    return model.prediction(prepared, answer).scores[0]


@pytest.fixture(scope="module")
def upright(model: Model, clinical_film: Path) -> Score:
    return score_of(model, read_film(clinical_film))


@pytest.mark.parametrize("directions", TURNED)
def test_the_clinical_film_has_one_score_however_it_lies(
    model: Model, clinical_film: Path, upright: Score, directions: tuple[str, str]
) -> None:
    score = score_of(model, to_radiograph(laid(clinical_film, directions)))

    assert pytest.approx(upright.score, abs=1e-3) == score.score


@pytest.mark.parametrize("directions", TURNED)
def test_the_saliency_moves_with_the_clinical_film(
    model: Model, clinical_film: Path, upright: Score, directions: tuple[str, str]
) -> None:
    score = score_of(model, to_radiograph(laid(clinical_film, directions)))

    expected = LAID[directions](upright.saliency)
    assert np.allclose(expected, score.saliency, atol=1e-3)
    assert expected[np.unravel_index(score.saliency.argmax(), expected.shape)] == 1.0


def test_a_turned_film_without_orientation_is_refused_by_its_pixels(model: Model, clinical_film: Path) -> None:
    dataset = laid(clinical_film, ("R", "H"))
    del dataset.PatientOrientation

    (refusal,) = model.predict([model.prepare(to_radiograph(dataset))])

    assert isinstance(refusal, UnsuitableFilmError)
    assert refusal.code == NOT_FRONTAL


def test_a_turned_film_is_displayed_as_it_is_stored(clinical_film: Path) -> None:
    shown = display_pixels(to_radiograph(laid(clinical_film, ("F", "R"))))

    assert (np.rot90(display_pixels(read_film(clinical_film))) == shown).all()


@pytest.mark.parametrize("value", ["", " ", "\\"])
def test_a_header_that_does_not_say_is_read_as_it_lies(value: str) -> None:
    assert Orientation("L", "F") == orientation_of({"PatientOrientation": value})


def test_a_picture_has_no_orientation_and_is_read_as_it_lies() -> None:
    assert Orientation("L", "F") == orientation_of({})


@pytest.mark.parametrize(
    ("value", "rows", "columns"),
    [("L\\FP", "L", "F"), ("LA\\F", "L", "F"), ("RH\\HL", "R", "H"), ("FRA\\RHP", "F", "R"), (" h \\ l ", "H", "L")],
)
def test_the_leading_letter_is_the_direction(value: str, rows: str, columns: str) -> None:
    assert Orientation(rows, columns) == orientation_of({"PatientOrientation": value})


@pytest.mark.parametrize(
    "value",
    [
        "L\\R",
        "L\\L",
        "H\\F",
        "L",
        "L\\",
        "\\F",
        "L\\F\\H",
        "A\\F",
        "L\\P",
        "LR\\F",
        "LL\\F",
        "LAFH\\F",
    ],
)
def test_what_is_no_pair_of_perpendicular_directions_is_refused(value: str) -> None:
    with pytest.raises(UnsuitableFilmError) as refusal:
        orientation_of({"PatientOrientation": value})

    assert refusal.value.code == "orientation"
    assert refusal.value.reason.startswith(f"PatientOrientation: {value}; a frontal film has two directions")


@given(st.text("APRLHF\\ XE", max_size=9))
def test_any_value_gives_one_of_eight_orientations_or_a_refusal(value: str) -> None:
    try:
        orientation = orientation_of({"PatientOrientation": value})
    except UnsuitableFilmError as refusal:
        assert refusal.code == "orientation"
    else:
        assert (orientation.rows, orientation.columns) in LAID


def test_an_orientation_of_parallel_directions_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="one of L and R, one of H and F"):
        Orientation("L", "R")
