"""A precision is written into a card only if it is faster and decides about films as float32 does."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_folders import EFFUSION, finding, write_card
from typer.testing import CliRunner

from inference.card import read_card
from inference.cli import app
from inference.errors import InvalidCardError, ModelError
from inference.models import DEFAULT_MODEL, load_model
from inference.models.folder import sha256_of
from inference.serving import choosing
from inference.serving.choosing import choose_precision, write_precision
from inference.serving.golden import Golden

torch = pytest.importorskip("torch")
from test_model_kinds import Pooled, exported  # noqa: E402 - only with torch
from torch import nn  # noqa: E402


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    """Films of noise and ramps, so that scores differ."""
    random = np.random.default_rng(3)
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(12):
        ramp = np.tile(np.linspace(0, 20 * number, 80), (90, 1)) + random.integers(0, 30, (90, 80))
        cv2.imwrite(str(folder / f"{number:02}.png"), ramp.astype(np.uint8))
    return sorted(folder.iterdir())


class OfItsPrecision(nn.Module):
    """Calls every film in float32, none in a shorter type, and is faster in it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.sharp = nn.Linear(1, 2)
        nn.init.constant_(self.sharp.weight, 1.0)
        nn.init.constant_(self.sharp.bias, 1000.0)

    def forward(self, films):
        # Eleven or eight bits cannot tell 1000.1 from 1000: what is beyond the bias is lost.
        return self.sharp(0.0 * films.mean((1, 2, 3)).unsqueeze(1) + 0.1) - 1000.0 - 0.05


def folder_of(tmp_path: Path, module: nn.Module, threshold: float = 0.5) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    exported(module, folder / "m.pt2")
    findings = [finding(threshold=threshold), finding("effusion", EFFUSION, threshold=threshold)]
    return write_card(folder, "m.pt2", "torch-export", findings, device={"kinds": ["cpu", "cuda"], "memory_mb": 1})


def sectioned(folder: Path) -> Path:
    """Write the device of a card as a section, as people do."""
    card = folder / "card.toml"
    lines = card.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("device")]
    card.write_text("\n".join([*kept, "", "[device]", 'kinds = ["cpu", "cuda"]', "memory_mb = 1", ""]), "utf-8")
    return folder


@pytest.fixture(autouse=True)
def any_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a precision is faster depends on the machine: here every one counts as faster."""
    monkeypatch.setattr(choosing, "LEAST_GAIN", -1e9)
    monkeypatch.setattr(choosing, "TRIALS", 1)
    monkeypatch.setattr(choosing, "LEAST_FILMS", 12)


def test_a_precision_that_changes_no_decision_is_written_and_used(tmp_path: Path, films: list[Path]) -> None:
    folder = sectioned(folder_of(tmp_path, Pooled(), threshold=0.01))

    chosen = choose_precision(folder, films, "cpu")

    card = read_card(folder)
    assert chosen.precision in ("bfloat16", "float16")
    assert {"cpu": chosen.precision} == card.device.precision
    assert (("cpu", "cuda"), 1) == (card.device.kinds, card.device.memory_mb)
    assert {0} == {change.decisions for change in chosen.changes.values()}
    assert chosen.precision == load_model(folder).network.precision


def test_a_precision_that_changes_a_decision_is_not(tmp_path: Path, films: list[Path]) -> None:
    folder = sectioned(folder_of(tmp_path, OfItsPrecision()))

    chosen = choose_precision(folder, films, "cpu")

    assert "float32" == chosen.precision
    assert {"cpu": "float32"} == read_card(folder).device.precision
    assert {24} == {change.decisions for change in chosen.changes.values()}


def test_a_precision_that_is_not_faster_is_not(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "LEAST_GAIN", 1.0)
    folder = sectioned(folder_of(tmp_path, Pooled(), threshold=0.01))

    assert "float32" == choose_precision(folder, films, "cpu").precision


def test_a_precision_that_answers_the_golden_film_otherwise_is_not(tmp_path: Path, films: list[Path]) -> None:
    folder = folder_of(tmp_path, Pooled(), threshold=0.01)
    model = load_model(folder)
    tensor = np.random.default_rng(1).normal(size=(3, 64, 64)).astype(np.float32)
    golden = Golden.record(model, Golden(tensor, np.zeros(2), np.zeros((0, 2), np.int64)).film)
    Golden(golden.tensor, golden.scores, golden.peaks, tolerance=1e-6).save(folder / "golden.npz")
    sectioned(folder)
    with (folder / "card.toml").open("a", encoding="utf-8") as card:
        card.write(f'\n[golden]\nfile = "golden.npz"\nsha256 = "{sha256_of(folder / "golden.npz")}"\n')

    chosen = choose_precision(folder, films, "cpu")

    assert "float32" == chosen.precision
    assert {} == chosen.changes
    assert read_card(folder).golden is not None


def test_few_films_choose_nothing(tmp_path: Path, films: list[Path]) -> None:
    folder = sectioned(folder_of(tmp_path, Pooled()))
    (films[0]).write_bytes(b"no film")

    with pytest.raises(ModelError, match="11 films that the model reads; a precision is chosen by 12"):
        choose_precision(folder, films, "cpu")


def test_copies_of_a_film_are_one_film(tmp_path: Path, films: list[Path]) -> None:
    folder = sectioned(folder_of(tmp_path, Pooled()))
    copies = [films[0].with_name(f"copy{number}.png") for number in range(12)]
    for copy in copies:
        shutil.copyfile(films[0], copy)

    with pytest.raises(ModelError, match="1 films that the model reads; a precision is chosen by 12 that differ"):
        choose_precision(folder, copies, "cpu")
    assert 12 == choose_precision(folder, [*films, *copies], "cpu").films


def test_a_card_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sectioned(folder_of(tmp_path, Pooled()))
    (folder / ".card.toml.part").mkdir()  # in the way, also of root
    monkeypatch.setattr(choosing, "measured", lambda *_: pytest.fail("measured"))

    result = CliRunner().invoke(app, ["precision", str(folder), str(films[0].parent), "--device", "cpu"])

    assert (2, f"{folder / 'card.toml'}: cannot be written (Is a directory)\n") == (result.exit_code, result.stderr)


def test_a_card_of_another_form_is_told_before_anything_is_measured(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "measured", lambda *_: pytest.fail("measured"))

    with pytest.raises(InvalidCardError, match="device: not a section of its own"):
        choose_precision(folder_of(tmp_path, Pooled()), films, "cpu")


def test_the_command_says_what_was_measured(tmp_path: Path, films: list[Path]) -> None:
    folder = sectioned(folder_of(tmp_path, OfItsPrecision()))
    few = CliRunner().invoke(app, ["precision", str(folder), str(films[0]), "--device", "cpu"])

    done = CliRunner().invoke(app, ["precision", str(folder), str(films[0].parent), "--device", "cpu"])

    assert (2, True) == (few.exit_code, "1 films that the model reads" in few.stderr)
    assert 0 == done.exit_code, done.stderr
    assert "float16: 24 of 24 decisions change, a score by " in done.stdout
    assert "float32: chosen by 12 films" in done.stdout


def test_a_graph_of_onnx_has_no_precision_to_choose(tmp_path: Path, films: list[Path]) -> None:
    folder = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "onnx"))
    before = (folder / "card.toml").read_text(encoding="utf-8")

    with pytest.raises(InvalidCardError, match="ONNX Runtime computes in the types"):
        choose_precision(folder, films, "cpu")

    assert before == (folder / "card.toml").read_text(encoding="utf-8")


def test_a_second_choice_replaces_the_first_and_keeps_that_of_other_devices(tmp_path: Path) -> None:
    folder = sectioned(folder_of(tmp_path, Pooled()))

    for kind, precision in (("cuda", "bfloat16"), ("cpu", "float16"), ("cpu", "float32")):
        write_precision(folder, read_card(folder), kind, precision)

    assert {"cpu": "float32", "cuda": "bfloat16"} == read_card(folder).device.precision
    assert 1 == (folder / "card.toml").read_text(encoding="utf-8").count("[device]")


def test_a_card_that_names_its_device_in_another_form_is_left_as_it_is(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, Pooled())
    before = (folder / "card.toml").read_text(encoding="utf-8")

    with pytest.raises(InvalidCardError, match="device: not a section of its own"):
        write_precision(folder, read_card(folder), "cuda", "bfloat16")

    assert before == (folder / "card.toml").read_text(encoding="utf-8")
