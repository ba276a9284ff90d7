"""Everything that is wrong with a card is said at once, and scores are what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_folders import CLASS_ACTIVATION, EFFUSION, FILM, LUNG, PNEUMONIA, finding, write_card
from onnx import TensorProto, helper, numpy_helper, save
from typer.testing import CliRunner

from inference.card import read_card
from inference.cli import app
from inference.errors import InvalidCardError
from inference.models import load_any, load_model
from inference.models.check import faults_of_folder
from inference.models.folder import sha256_of
from inference.scoring import Scoring, softmax
from inference.terminology import fault_of_code

TWO = [finding(), finding("effusion", EFFUSION)]
CLASSES = [finding(index=2, temperature=2.0), finding("effusion", EFFUSION, index=1, temperature=2.0)]
MULTI_CLASS = {"kind": "multi-class", "values": "logits", "count": 3}


def graph(
    folder: Path, outputs: int = 2, channels: int = 3, bias: float = 0.0, side: int = 64, last: str = "Identity"
) -> Path:
    """Write a network whose logits are a linear function of the mean of each channel."""
    random = np.random.default_rng(3)
    weights = {"w": random.normal(size=(channels, outputs)), "b": np.full(outputs, bias)}
    nodes = [
        helper.make_node("GlobalAveragePool", ["films"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["sums"]),
        helper.make_node(last, ["sums"], ["logits"]),
    ]
    tensor = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes, "ours",
        [tensor("films", TensorProto.FLOAT, ["n", channels, side, side])],
        [tensor("logits", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "m.onnx")
    return folder


def test_the_cards_of_the_description_are_cards(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8").replace("…", "0" * 64)
    _, film, volume, *_ = (block.split("```")[0] for block in text.split("```toml")[1:])

    (tmp_path / "card.toml").write_text(film, encoding="utf-8")
    assert read_card(tmp_path).input.grid == (3, 224, 224)
    (tmp_path / "card.toml").write_text(
        film[: film.index("[input]")] + volume + film[film.index("[output]") :], encoding="utf-8"
    )
    assert read_card(tmp_path).input.grid == (1, 64, 128, 128)


def test_a_sound_folder_has_no_fault(tmp_path: Path) -> None:
    assert list(faults_of_folder(write_card(graph(tmp_path), "m.onnx", "onnx", TWO))) == []


def test_faults_of_the_schema_come_together(tmp_path: Path) -> None:
    taken = {**FILM, "channels": 2, "percentiles": [90, 10], "colour": True}
    wrong = finding(code={"value": "233604006", "scheme": "SCT", "meaning": "Pneumonia"})
    foreign = finding("effusion", {"value": "1", "scheme": "OURS", "meaning": "Effusion"})

    folder = write_card(graph(tmp_path), "m.onnx", "onnx", [wrong, foreign], taken, version="")
    said = "\n".join(faults_of_folder(folder))

    for part in ("input.channels", "input.percentiles", "input.colour", "version", "findings.0.code", "findings.1.code",
                 "check digit is wrong", "'OURS' is no coding scheme"):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("modalities", ["cr", "DX"], "input.modalities.0: 'cr': 1 to 16 of A to Z"),
        ("modalities", [], "input.modalities: []: 1 or more"),
        ("body_parts", ["CHEST", "chest"], "input.body_parts.1: 'chest': 1 to 16 of A to Z"),
        ("body_parts", [""], "input.body_parts.0: '': 1 to 16 of A to Z"),
        ("body_parts", ["CHEST "], "input.body_parts.0: 'CHEST ': 1 to 16 of A to Z"),
        ("body_parts", [], "input.body_parts: []: 1 or more"),
        ("views", ["PA", "FRONTAL"], "input.views.1: 'FRONTAL': none of AP, PA, LL, RL"),
        ("views", ["pa"], "input.views.0: 'pa': none of AP, PA, LL, RL"),
        ("views", [], "input.views: []: 1 or more"),
    ],
)
def test_a_card_that_no_film_can_match_is_refused(tmp_path: Path, key: str, value: list[str], said: str) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, {**FILM, key: value})

    (fault,) = faults_of_folder(folder)

    assert f"card.toml: {said}" in fault


@pytest.mark.parametrize("keyword", ["PatientAge", "ViewPosition", "PatientName"])
def test_a_card_that_asks_for_more_than_pixels_is_refused(tmp_path: Path, keyword: str) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, attributes=[keyword])

    (fault,) = faults_of_folder(folder)

    assert f"attributes: {keyword}: no kind of weights takes attributes yet; leave it empty" in fault


def test_a_card_whose_attributes_are_empty_is_sound(tmp_path: Path) -> None:
    assert list(faults_of_folder(write_card(graph(tmp_path), "m.onnx", "onnx", TWO, attributes=[]))) == []


def test_contradictions_within_a_card_come_together(tmp_path: Path) -> None:
    findings = [finding(index=3, temperature=2.0), finding(index=1, shift=1.0)]

    said = "\n".join(faults_of_folder(write_card(graph(tmp_path), "m.onnx", "onnx", findings, output=MULTI_CLASS)))

    for part in ("pneumonia stands twice", "index 3; output.count is 3", "temperatures differ", "shift"):
        assert part in said


def test_altered_and_missing_files_come_together(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, atlas={"file": "atlas.npz", "sha256": "0" * 64})
    with (folder / "m.onnx").open("ab") as weights:
        weights.write(b"\0")

    altered, missing = faults_of_folder(folder)

    assert "sha256 is" in altered
    assert "atlas.npz: not found" in missing


@pytest.mark.parametrize(
    ("made", "taken", "said"),
    [
        ({"channels": 3}, {"channels": 1, "mean": 0.5, "deviation": 0.5}, "input.channels: 1, the network takes 3"),
        ({"side": 96}, {}, "input.side: 64, the network takes 96"),
        ({"outputs": 5}, {}, "findings: the card names 2, the network gives 5"),
    ],
)
def test_a_card_that_contradicts_its_file_is_named(tmp_path: Path, made: dict, taken: dict, said: str) -> None:
    (fault,) = faults_of_folder(write_card(graph(tmp_path, **made), "m.onnx", "onnx", TWO, {**FILM, **taken}))

    assert said in fault


def test_a_network_that_gives_no_numbers_is_named(tmp_path: Path) -> None:
    dark, ramp = faults_of_folder(write_card(graph(tmp_path, bias=float("nan")), "m.onnx", "onnx", TWO))

    assert "on a black image: not every value is finite" in dark
    assert "on one from black to white: not every value is finite" in ramp


def test_channels_and_outputs_that_contradict_come_together(tmp_path: Path) -> None:
    taken = {**FILM, "channels": 1, "mean": 0.5, "deviation": 0.5}
    folder = write_card(graph(tmp_path, outputs=5), "m.onnx", "onnx", TWO, taken)

    assert len(list(faults_of_folder(folder))) == 2
    with pytest.raises(InvalidCardError, match=r"input\.channels.*; findings"):
        load_model(folder)


def test_a_promised_map_that_is_none_is_named(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, explanation=CLASS_ACTIVATION)

    (fault,) = faults_of_folder(folder)

    assert "the card promises a map, the network gives none" in fault


def test_logits_under_the_name_of_probabilities_are_named(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path, bias=4.0), "m.onnx", "onnx", TWO, output={"values": "probabilities"})

    faults = list(faults_of_folder(folder))

    assert len(faults) == 2
    assert all("the card says probabilities, which lie in [0, 1]" in fault for fault in faults)


@pytest.mark.parametrize(("values", "count"), [("logits", 1), ("probabilities", 0)])
def test_probabilities_of_classes_under_the_name_of_logits_are_named(tmp_path: Path, values: str, count: int) -> None:
    said = {**MULTI_CLASS, "values": values}
    folder = write_card(graph(tmp_path, outputs=3, last="Softmax"), "m.onnx", "onnx", CLASSES, output=said)

    faults = list(faults_of_folder(folder))

    assert count == len([each for each in faults if "with a sum of 1, as probabilities do" in each]) == len(faults)


def test_logits_of_classes_are_not_taken_for_probabilities(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path, outputs=3), "m.onnx", "onnx", CLASSES, output=MULTI_CLASS)

    assert [] == list(faults_of_folder(folder))


def test_a_machine_with_too_little_memory_is_named(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, device={"memory_mb": 10**9})

    (fault,) = faults_of_folder(folder)

    assert "device.memory_mb: 1000000000; cpu has" in fault


def test_the_command_says_the_faults_and_fails(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path, side=96), "m.onnx", "onnx", TWO)

    result = CliRunner().invoke(app, ["check", str(folder)])

    assert (1, True) == (result.exit_code, "the network takes 96" in result.stdout)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (PNEUMONIA, None),
        (LUNG, None),
        ({"value": "51185008", "scheme": "SCT", "meaning": "thoracic structure"}, None),
        ({"value": "RID5350", "scheme": "RADLEX", "meaning": "Pneumonia"}, None),
        ({"value": "X1", "scheme": "99HOSPITAL", "meaning": "Ours"}, None),
        ({"value": "J18.9", "scheme": "I10C", "meaning": "Pneumonia, unspecified organism"}, None),
        ({"value": "8800/3", "scheme": "ICDO3", "meaning": "Sarcoma"}, None),
        (
            {"value": "RID5350", "scheme": "radlex", "meaning": "Pneumonia"},
            "'radlex' is no coding scheme",
        ),
        ({"value": "233604007", "scheme": "SNOMED", "meaning": "Pneumonia"}, "'SNOMED' is no coding scheme"),
        ({"value": "60046008", "scheme": "SCT", "meaning": "Pneumothorax"}, "means Pleural effusion"),
        ({"value": "999999", "scheme": "DCM", "meaning": "Ours"}, "no concept of DCM"),
        ({"value": "24627-3", "scheme": "LN", "meaning": "Chest CT"}, "check digit"),
    ],
)
def test_a_code_that_cannot_be_is_told(code: dict[str, str], said: str | None) -> None:
    fault = fault_of_code(**code)

    assert fault is None if said is None else said in str(fault)


def test_classes_that_exclude_each_other_share_one_scale(tmp_path: Path) -> None:
    model = load_any(write_card(graph(tmp_path, outputs=3), "m.onnx", "onnx", CLASSES, output=MULTI_CLASS))
    logits = np.array([[1.0, 3.0, -2.0]], np.float32)

    expected = softmax(logits / 2)[:, [2, 1]]
    assert pytest.approx(expected, abs=1e-6) == model.scoring.scores(logits)


@pytest.mark.parametrize(
    ("findings", "output"),
    [([finding()], {}), ([finding(index=0)], {"count": 1}), ([finding(index=0)], {}), ([finding()], {"count": 1})],
)
def test_one_output_is_no_class_among_others(tmp_path: Path, findings: list, output: dict) -> None:
    said = "output.kind: multi-class; of one output each score would be 1"
    folder = write_card(
        graph(tmp_path, outputs=1), "m.onnx", "onnx", findings, output={"kind": "multi-class", **output}
    )

    (fault,) = faults_of_folder(folder)

    assert said in fault
    with pytest.raises(InvalidCardError, match=said):
        load_model(folder)


@pytest.mark.parametrize("threshold", [0, 0.0, 1, 1.0, True])
def test_a_threshold_that_divides_no_scores_is_refused(tmp_path: Path, threshold: float) -> None:
    folder = write_card(graph(tmp_path, outputs=1), "m.onnx", "onnx", [{**finding(), "threshold": threshold}])

    with pytest.raises(InvalidCardError, match=r"findings\.0\.threshold: (0|1|True)[.0]*: Input should be (gr|l)"):
        read_card(folder)


def test_whole_numbers_are_no_logits(tmp_path: Path) -> None:
    tensor = helper.make_tensor_value_info
    nodes = [
        helper.make_node("GlobalMaxPool", ["films"], ["most"]),
        helper.make_node("Flatten", ["most"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["logits"], to=TensorProto.INT64),
    ]
    made = helper.make_graph(
        nodes, "ours", [tensor("films", TensorProto.FLOAT, ["n", 3, 64, 64])],
        [tensor("logits", TensorProto.INT64, ["n", 3])],
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    folder = write_card(tmp_path, "m.onnx", "onnx", [*TWO, finding("other")])

    (fault,) = faults_of_folder(folder)

    assert "m.onnx: logits: tensor(int64); the rule is float32, float16 or float64" in fault


def test_probabilities_are_scores_as_they_are() -> None:
    likely = np.array([[0.1, 0.7, 0.2]], np.float32)
    labels = Scoring((1.0,) * 3, (0.0,) * 3, takes_probabilities=True)
    classes = Scoring((1.0, 1.0), (0.0, 0.0), (1, 2), is_multi_class=True, takes_probabilities=True)

    assert pytest.approx(likely, abs=1e-6) == labels.scores(likely)
    assert pytest.approx(likely[:, 1:], abs=1e-6) == classes.scores(likely)
    assert "whose sum is 1" in str(classes.fault(np.array([0.5, 0.9, 0.9])))


def test_literature_belongs_to_findings(tmp_path: Path) -> None:
    own, both = "Franquet, Pneumonia, 2018", "Hansell et al., Glossary of terms, 2008"
    findings = [finding(references=[own, both]), finding("effusion", EFFUSION, references=[both])]
    one = write_card(graph(tmp_path, outputs=1), "m.onnx", "onnx", findings[:1])
    assert (own, both) == load_model(one).card.references

    two = load_model(write_card(graph(tmp_path), "m.onnx", "onnx", findings)).card
    assert (f"{own} (on pneumonia)", f"{both} (on pneumonia, effusion)") == two.references
    assert [(own, both), (both,)] == [each.references for each in two.findings]

    with pytest.raises(InvalidCardError, match="references: unknown key"):
        read_card(write_card(tmp_path, "m.onnx", "onnx", TWO, references=[own]))


def test_one_score_is_one_finding(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path, outputs=1), "m.onnx", "onnx", output={"kind": "single"})
    assert read_card(folder).outputs == 1

    with pytest.raises(InvalidCardError, match=r"output\.kind: single; 2 findings"):
        read_card(write_card(folder, "m.onnx", "onnx", TWO, output={"kind": "single"}))


def test_a_range_is_what_black_and_white_become(tmp_path: Path) -> None:
    taken = {key: value for key, value in FILM.items() if key not in ("mean", "deviation")}
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO, {**taken, "range": [-1024.0, 1024.0]})
    film = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)

    from inference.types import Radiograph

    tensor = load_model(folder).prepare(Radiograph(film)).tensor

    assert (3, 64, 64) == tensor.shape
    assert pytest.approx((-1024, 1024), abs=1e-2) == (tensor.min(), tensor.max())


def test_a_digest_in_capitals_is_the_same_digest(tmp_path: Path) -> None:
    folder = write_card(graph(tmp_path), "m.onnx", "onnx", TWO)
    digest = sha256_of(folder / "m.onnx")

    assert [] == list(faults_of_folder(write_card(tmp_path, "m.onnx", "onnx", TWO, weights={"sha256": digest.upper()})))
    assert digest == load_model(folder).card.digest


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "0" * 65])
def test_what_is_no_digest_is_told_in_words(tmp_path: Path, digest: str) -> None:
    (fault,) = faults_of_folder(write_card(graph(tmp_path), "m.onnx", "onnx", TWO, weights={"sha256": digest}))

    assert f"card.toml: weights.sha256: {digest!r}: 64 hexadecimal digits, as sha256sum prints them" in fault
