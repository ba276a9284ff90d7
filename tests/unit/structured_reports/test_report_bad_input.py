"""What could only become an invalid object, or a wrong one, is refused where it is made, by the name of the field."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.build import build_results
from structured_reports.errors import UnusableHeaderError
from structured_reports.port import Equipment
from structured_reports.regions import Region, regions_of

PNEUMONIA, LUNG = Code("233604007", "SCT", "Pneumonia"), Code("39607008", "SCT", "Lung")
FINDING = Finding("pneumonia", PNEUMONIA, LUNG, 0.5)
GRID = (200, 300)


def _map(value: float = 0.5, shape: tuple[int, ...] = GRID, kind: type = np.float32) -> np.ndarray:
    return np.full(shape, value, kind)


@pytest.mark.parametrize("part", ["value", "scheme", "meaning"])
@pytest.mark.parametrize("field", ["code", "site"])
def test_a_finding_without_a_part_of_its_code_is_refused(field, part) -> None:
    codes = {"code": PNEUMONIA, "site": LUNG}
    codes[field] = replace(codes[field], **{part: " "})

    with pytest.raises(ValueError, match=rf"^{field} of pneumonia: its {part} is empty"):
        Finding("pneumonia", threshold=0.5, **codes)


@pytest.mark.parametrize(
    ("part", "value", "rule"),
    [
        *((part, value, "has a backslash or a control") for part in ("value", "scheme", "meaning")
          for value in ("A\\B", "A\0", "A\nB", "A\x1b$B", "A\x85")),
        *(("value", "1" * 17, "is longer than 16"), ("scheme", "S" * 17, "is longer than 16")),
        ("meaning", "M" * 65, "is longer than 64"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["code", "site"])
def test_a_code_that_no_object_can_hold_is_refused(field, part, value, rule) -> None:
    codes = {"code": PNEUMONIA, "site": LUNG}
    codes[field] = replace(codes[field], **{part: value})

    with pytest.raises(ValueError, match=rf"^{field} of pneumonia: its {part} {rule}"):
        Finding("pneumonia", threshold=0.5, **codes)


def test_a_code_as_long_as_an_object_can_hold_makes_a_finding() -> None:
    code = Code("1" * 16, "S" * 16, "M" * 64)

    assert Finding("pneumonia", code, LUNG, 0.5).code == code


@pytest.mark.parametrize("explanation", [Code("", "DCM", ""), Code("130402", "DCM", "Class\\activation")])
def test_a_card_with_an_explanation_that_is_no_code_is_refused(explanation) -> None:
    with pytest.raises(ValueError, match=r"^explanation of model: its "):
        ModelCard("model", "1", "ab" * 32, (FINDING,), "Tests.", explanation=explanation)


@pytest.mark.parametrize("value", ["", " ", "a\\b", "a\nb"])
@pytest.mark.parametrize("part", ["name", "version", "manufacturer"])
def test_a_card_without_name_version_or_manufacturer_is_refused(part, value) -> None:
    card = ModelCard("model", "1", "ab" * 32, (FINDING,), "Tests.")

    with pytest.raises(ValueError, match=f"^{part} of a model: "):
        replace(card, **{part: value})


@pytest.mark.parametrize("value", ["", " ", "a\\b", "a\0b"])
@pytest.mark.parametrize("part", ["manufacturer", "model_name", "software_version", "serial_number", "station_name"])
def test_a_maker_without_what_its_results_name_is_refused(part, value) -> None:
    maker = Equipment("Maker", "Node", "0.1", "SN", "STATION", "2.25.99")

    with pytest.raises(ValueError, match=f"^{part}: "):
        replace(maker, **{part: value})


def test_a_maker_whose_uid_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^device_uid: "):
        Equipment("Maker", "Node", "0.1", "SN", "STATION", "abc")


def test_a_finding_without_code_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^code of pneumonia: None"):
        Finding("pneumonia", None, LUNG, 0.5)


@pytest.mark.parametrize("name", ["", " ", "pneu\\monia", "pneu\nmonia"])
def test_a_finding_without_name_is_refused(name) -> None:
    with pytest.raises(ValueError, match=r"^name: "):
        Finding(name, PNEUMONIA, LUNG, 0.5)


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, np.inf])
def test_a_threshold_outside_0_to_1_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"^threshold of pneumonia: "):
        Finding("pneumonia", PNEUMONIA, LUNG, value)


@pytest.mark.parametrize("value", ["0.9", None, [0.9]])
def test_a_score_that_is_no_number_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"^score of pneumonia: "):
        Score(FINDING, value)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, int])
def test_a_score_of_any_kind_of_number_makes_objects(kind, request_of) -> None:
    score = Score(FINDING, kind(1))

    assert type(score.score) is float
    assert [one.kind for one in build_results(request_of(score), ("summary", "report"))] == ["summary", "report"]


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, np.inf, -np.inf])
def test_a_score_outside_0_to_1_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"^score of pneumonia: .*\[0, 1\]"):
        Score(FINDING, value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_a_map_with_one_value_that_is_not_in_0_to_1_is_refused(value) -> None:
    saliency = _map()
    saliency[17, 33] = value

    with pytest.raises(ValueError, match=r"^saliency of pneumonia: values from"):
        Score(FINDING, 0.9, saliency)


@pytest.mark.parametrize("saliency", [_map(shape=(3, 4, 5)), _map(shape=(0, 4)), _map(kind=np.float64)])
def test_a_map_that_is_no_float32_picture_is_refused(saliency) -> None:
    with pytest.raises(ValueError, match=r"^saliency of pneumonia: float\d\d of shape"):
        Score(FINDING, 0.9, saliency)


@pytest.mark.parametrize("scores", [(Score(FINDING, 0.9),) * 2, (Score(replace(FINDING, name="effusion"), 0.9),)])
def test_a_prediction_says_one_thing_of_each_finding_of_its_card(scores) -> None:
    card = ModelCard("model", "1", "ab" * 32, (FINDING,), "Tests.")

    with pytest.raises(ValueError, match=r"^scores: "):
        Prediction(card, scores)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("made_at", {"made_at": datetime(2026, 1, 2)}),
        ("generation", {"generation": 0}),
        ("notice", {"notice": " "}),
        ("notice", {"notice": "AI \\ RESULT"}),
        ("notice", {"notice": "AI\nRESULT"}),
        ("model_word", {"model_word": "a\\b"}),
        ("display", {"display": None}),
        ("display", {"display": np.zeros((*GRID, 3), np.uint8)}),
        ("display", {"display": np.zeros(GRID, np.float32)}),
        ("saliency of pneumonia", {"display": np.zeros(GRID[::-1], np.uint8)}),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(field, change, score_of, request_of) -> None:
    score = score_of(0.9, saliency=_map())

    with pytest.raises(ValueError, match=f"^{field}: "):
        request_of(score, **change)


def test_a_film_of_another_size_than_its_source_is_refused(header, score_of, request_of) -> None:
    header.Rows, header.Columns = GRID[::-1]

    with pytest.raises(ValueError, match=r"^display: shape \(200, 300\), the source has .*\(300, 200\)"):
        request_of(score_of(0.9, saliency=_map()))


def test_a_prediction_that_says_nothing_makes_no_request(score_of, request_of) -> None:
    silent = replace(request_of(score_of(0.9)).outcome, scores=())

    with pytest.raises(ValueError, match=r"^outcome: "):
        request_of(score_of(0.9), outcome=silent)


@pytest.mark.parametrize("shift", [(-1.0, 0.0), (0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (np.nan, 0.0)])
def test_a_region_outside_the_image_is_refused(shift) -> None:
    (whole,) = regions_of(_map())

    with pytest.raises(ValueError, match=r"^points: .* 300 columns and 200 rows"):
        _moved(whole, shift)


def test_a_region_that_is_not_closed_is_refused(square) -> None:
    (region,) = regions_of(square)
    points = region.points.copy()
    points[-1] += 1.0

    with pytest.raises(ValueError, match=r"^points: the last differs"):
        Region(points, GRID)


def test_a_region_with_as_few_points_as_a_box_is_refused(square) -> None:
    (region,) = regions_of(square)

    with pytest.raises(ValueError, match=r"^points: shape \(5, 2\)"):
        Region(region.points[:5], GRID)


@pytest.mark.parametrize("kind", ["report", "seg", "seg-fractional"])
def test_a_region_on_an_image_of_a_private_sop_class_is_refused(kind, header, score_of, request_of) -> None:
    header.SOPClassUID = "1.2.3.4.5"

    with pytest.raises(UnusableHeaderError, match="SOPClassUID"):
        build_results(request_of(score_of(0.9, saliency=_map())), (kind,))


def _moved(region: Region, shift: tuple[float, float]) -> Region:
    """Return a region of which all but the first and last point are moved, so that it is still closed."""
    points = region.points.copy()
    points[1:-1] += shift
    return Region(points, GRID)
