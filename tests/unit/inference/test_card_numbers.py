"""A number that is none is refused in a card, and where calibration makes one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_folders import EFFUSION, FILM, finding, write_card
from test_model_cards import TWO, graph

from inference.card import read_card
from inference.errors import FilmError, InvalidCardError
from inference.film import read_film
from inference.models import Model
from inference.models.check import faults_of_folder


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", ["shift", "temperature", "threshold", "operating_point"])
def test_a_number_of_a_finding_that_is_none_is_refused(tmp_path: Path, key: str, value: str) -> None:
    folder = write_card(graph(tmp_path, outputs=1), "m.onnx", "onnx", [{**finding(), key: 0.5}])
    card = folder / "card.toml"
    card.write_text(card.read_text(encoding="utf-8").replace(f"{key} = 0.5", f"{key} = {value}"), encoding="utf-8")

    with pytest.raises(InvalidCardError, match=rf"findings\.0\.{key}: {value}: a number is finite$"):
        read_card(folder)


@pytest.mark.parametrize("key", ["mean", "deviation", "range", "percentiles"])
def test_a_number_of_the_input_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    scaling = {"range": [0.0, 1.0]} if key == "range" else {"mean": 0.5, "deviation": 0.5}
    taken = {name: each for name, each in FILM.items() if name not in ("mean", "deviation")} | scaling
    taken |= {key: [0.5, "NAN"] if key in ("range", "percentiles") else "NAN"}
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, taken)
    card = folder / "card.toml"
    card.write_text(card.read_text(encoding="utf-8").replace('"NAN"', "nan"), encoding="utf-8")

    with pytest.raises(InvalidCardError, match=rf"input\.{key}(\.1)?: nan: a number is finite$"):
        read_card(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": [64, 64]}, "input.size: [64, 64]: 3 entries"),
        ({"size": [64]}, "input.size: [64]: 3 entries"),
        ({"window": [1.0]}, "input.window: [1.0]: 2 entries"),
        ({"mean": [0.5, 0.5], "deviation": 1.0, "range": None}, "input.mean: [0.5, 0.5]: 3 entries"),
    ],
)
def test_a_list_that_is_too_short_is_told_with_its_length(tmp_path: Path, changes: dict, said: str) -> None:
    taken = {"kind": "volume", "modalities": ["CT"], "body_parts": ["CHEST"], "size": [4, 12, 10],
             "spacing_mm": [5, 2, 2], "window": [-1000, 400], "range": [0, 1]} | changes  # fmt: skip
    taken = {key: value for key, value in taken.items() if value is not None}

    fault, *_ = faults_of_folder(write_card(graph(tmp_path), "m.onnx", "onnx", TWO, taken))

    assert f"card.toml: {said}" in fault


def test_every_fault_says_key_value_and_rule_once(tmp_path: Path) -> None:
    wrong = finding("effusion", {**EFFUSION, "value": "60046007"}, temperature=-1.0, colour="red")
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", [wrong], {**FILM, "channels": 2})

    said = "\n".join(faults_of_folder(folder))

    for part in (
        "findings.0.code: 60046007 is no identifier of SCT: its check digit is wrong",
        "findings.0.temperature: -1.0: Input should be greater than 0",
        "findings.0.colour: unknown key",
        "input.channels: 2: Input should be 1 or 3",
    ):
        assert part in said
    assert "after validation" not in said
    assert "Value error" not in said


def test_a_score_that_calibration_makes_no_number_is_a_refusal(model: Model, clinical_film: Path) -> None:
    film = model.prepare(read_film(clinical_film))
    (outcome,) = replace(model, scoring=replace(model.scoring, shifts=(float("nan"),))).predict([film])

    assert isinstance(outcome, FilmError)
    assert ("not-finite", True) == (outcome.code, "scores of pneumonia-lite0" in outcome.reason)
