"""A fault in a model folder hides no other that can be told without mending it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from model_folders import CLASS_ACTIVATION, EFFUSION, FILM, finding, write_card
from test_model_cards import graph
from test_model_check import changed, shifted, with_arrays

from inference.card_rules import KEYS_OF_KINDS
from inference.card_sections import FileSection, WeightsSection
from inference.errors import InvalidCardError
from inference.models import DEFAULT_MODEL, KINDS, load_model
from inference.models.check import RECIPE, faults_of_folder

TWO = [finding(), finding("effusion", EFFUSION)]
WRONG_DIGIT = {"value": "233604008", "scheme": "SCT", "meaning": "Pneumonia"}
NO_MAP = "explanation: the card promises a map, the network gives none"
COUNT = "findings: the card names 2, the network gives 3"
CHANNELS = "input.channels: 1, the network takes 3"
ONE_CHANNEL = {"channels": 1, "mean": 0.5, "deviation": 0.5}


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    target = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))
    (target / RECIPE).unlink()
    return target


def said_of(
    folder: Path, made: dict[str, Any], findings: list[dict[str, object]], taken: dict[str, object], **tables: object
) -> str:
    written = write_card(graph(folder, **made), "m.onnx", "onnx", findings, {**FILM, **taken}, **tables)
    return "\n".join(faults_of_folder(written))


@pytest.mark.parametrize(
    ("made", "findings", "taken", "tables", "parts"),
    [
        ({}, TWO, {"side": 96}, {"explanation": CLASS_ACTIVATION}, ["input.side: 96, the network takes 64", NO_MAP]),
        ({}, TWO, ONE_CHANNEL, {"explanation": CLASS_ACTIVATION}, [CHANNELS, NO_MAP]),
        ({"outputs": 3}, TWO, {"side": 96}, {"explanation": CLASS_ACTIVATION}, ["input.side: 96", COUNT, NO_MAP]),
        (
            {"outputs": 3}, [finding(code=WRONG_DIGIT), TWO[1]], {}, {"explanation": CLASS_ACTIVATION},
            ["findings.0.code: 233604008", COUNT, NO_MAP],
        ),
        (
            {}, [finding(code=WRONG_DIGIT), TWO[1]], {}, {"output": {"count": 3}},
            ["findings.0.code", "names 2 without index, output.count is 3", "output.count: 3, the network gives 2"],
        ),
        ({}, TWO, {"percentiles": [99, 1], **ONE_CHANNEL}, {}, ["input.percentiles: (99.0, 1.0)", CHANNELS]),
        ({}, TWO, {**ONE_CHANNEL, "range": [0, 1]}, {}, ["input: mean and deviation and range; give", CHANNELS]),
        (
            {}, TWO, {"side": 5}, {"explanation": {**CLASS_ACTIVATION, "value": "130403"}},
            ["input.side: 5", "explanation: 130403 of DCM means", NO_MAP],
        ),
        ({"bias": float("nan")}, TWO, {"side": 96}, {}, ["input.side: 96", "on a black image: not every value"]),
        ({}, TWO, {"kind": "photo"}, {"explanation": CLASS_ACTIVATION}, ["input: ", NO_MAP]),
        ({}, [finding("Upper"), finding("effusion", EFFUSION)], {}, {"output": {"count": 3}},
         ["findings.0.name", "output.count is 3", "output.count: 3, the network gives 2"]),
    ],
)  # fmt: skip
def test_every_fault_is_said_at_once(
    tmp_path: Path, made: dict, findings: list, taken: dict, tables: dict, parts: list[str]
) -> None:
    said = said_of(tmp_path, made, findings, taken, **tables)

    assert [] == [part for part in parts if part not in said], said


@pytest.mark.parametrize(
    ("taken", "tables", "part"),
    [
        ({"channels": 2}, {}, "input.channels"),
        ({"side": 5}, {}, "input.side"),
        ({}, {"output": {"count": 0}}, "output.count"),
    ],
)
def test_what_stands_for_a_faulty_key_is_no_fault(tmp_path: Path, taken: dict, tables: dict, part: str) -> None:
    (fault,) = said_of(tmp_path, {"outputs": 3}, [*TWO, finding("other")], taken, **tables).splitlines()

    assert part in fault


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threshold = 0.", "threshold = 2."),
        ("233604007", "233604008"),
        ("[input]", "[input]\ncolour = true"),
        ("percentiles = [0.5, 99.5]", "percentiles = [99.5, 0.5]"),
    ],
)
def test_an_answer_to_the_golden_film_is_told_beside_other_faults(shipped: Path, old: str, new: str) -> None:
    with_arrays(shipped, "golden.npz", scores=shifted)

    _, answer = faults_of_folder(changed(shipped, old, new))

    assert "golden film: a score differs" in answer


def test_the_golden_film_is_not_asked_where_a_fault_decides_on_its_scores(shipped: Path) -> None:
    (fault,) = faults_of_folder(changed(shipped, "temperature = ", "temperature = -"))

    assert "findings.0.temperature" in fault


def test_a_missing_map_does_not_hide_the_scores_of_the_golden_film(shipped: Path) -> None:
    with_arrays(shipped, "golden.npz", scores=shifted)
    changed(shipped, 'kind = "onnx"', 'kind = "onnx"\nnames = { embedding = "embedding", cams = "logits" }')

    maps, answer = faults_of_folder(shipped)

    assert "explanation: the network gives a map of shape" in maps
    assert "golden film: a score differs" in answer


@pytest.mark.parametrize(
    ("kind", "key", "value", "kinds"),
    [
        ("onnx", "architecture", "resnet18", "state-dict"),
        ("torchxrayvision", "architecture", "resnet18", "state-dict"),
        ("state-dict", "names", {"films": "x"}, "onnx, triton"),
        ("torchscript", "names", {"logits": "y"}, "onnx, triton"),
    ],
)
def test_a_key_of_another_kind_of_weights_is_a_fault(
    tmp_path: Path, kind: str, key: str, value: object, kinds: str
) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", kind, TWO, {**FILM, "side": 5}, weights={key: value})

    assert f"card.toml: weights.{key}: the kind is {kind}; it belongs to {kinds}" in "\n".join(faults_of_folder(folder))
    with pytest.raises(InvalidCardError, match=f"weights.{key}: the kind is {kind}"):
        load_model(folder)


def test_every_kind_of_weights_says_which_keys_belong_to_it() -> None:
    assert {kind for kinds in KEYS_OF_KINDS.values() for kind in kinds} < set(KINDS)
    assert {"kind", *FileSection.model_fields, *KEYS_OF_KINDS} == set(WeightsSection.model_fields)
