"""`check` says everything that is wrong with a folder, what its atlas and golden film hold included."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from privileges import without_privileges
from typer.testing import CliRunner

from inference.atlas import Atlas
from inference.cli import app
from inference.errors import InvalidCardError
from inference.models import DEFAULT_MODEL, load_model
from inference.models.check import RECIPE, faults_of_folder
from inference.models.folder import sha256_of
from inference.network_process import faults_apart
from inference.serving.golden import Golden


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))
    (target / RECIPE).unlink()
    return target


def changed(folder: Path, old: str, new: str) -> Path:
    card = folder / "card.toml"
    text = card.read_text(encoding="utf-8")
    assert old in text
    card.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def digest_again(folder: Path, name: str) -> None:
    """Let the card name a file as it is now."""
    card = folder / "card.toml"
    text = card.read_text(encoding="utf-8")
    section = re.compile(rf'(file = "{re.escape(name)}"\nsha256 = ")[0-9a-f]+')
    card.write_text(section.sub(rf"\g<1>{sha256_of(folder / name)}", text), encoding="utf-8")


def with_arrays(folder: Path, name: str, **changes: Any) -> Path:
    """Change arrays of a file that the card names, and its digest there."""
    with np.load(folder / name) as arrays:
        kept = {key: arrays[key] for key in arrays}
    np.savez(folder / name, **kept | {key: change(kept.get(key)) for key, change in changes.items()})
    digest_again(folder, name)
    return folder


def shifted(scores: np.ndarray) -> np.ndarray:
    return np.where(scores > 0.5, scores - 0.4, scores + 0.4).astype(np.float32)


ATLAS_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"labels": lambda each: each[:5]}, "labels: 5; there are [0-9]+ embeddings, and each has one"),
    ({"limit": lambda _: np.float64(0)}, r"limit: 0\.0; a finite length above 0"),
    ({"limit": lambda _: np.float64("nan")}, "limit: nan; a finite length above 0"),
    (
        {"whitening": lambda each: each[:5]},
        r"whitening: shape \(5, [0-9]+\); it has a row for each of the [0-9]+",
    ),
    ({"whitening": lambda each: each * np.nan}, "whitening: a value is not finite"),
    ({"embeddings": lambda each: each[:0]}, r"embeddings: shape \(0, [0-9]+\); one case or more"),
    ({"view": lambda _: np.zeros(9)}, "view: 8 numbers and a bias; the mean has [0-9]+"),
]


@pytest.mark.parametrize(("changes", "said"), ATLAS_FAULTS)
def test_an_atlas_whose_arrays_do_not_belong_together_is_refused(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    with_arrays(folder, "atlas.npz", **changes)

    assert re.search(f"model: atlas.npz: .*{said}", "\n".join(faults_of_folder(folder)))
    with pytest.raises(InvalidCardError, match=said):
        load_model(folder)


GOLDEN_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"tensor": lambda each: each[:, :64, :64]}, r"tensor: shape \(1, 64, 64\); the card prepares films of \(1, 224"),
    ({"tensor": lambda each: each * np.float32(np.nan)}, "tensor: not every value is finite"),
    ({"scores": lambda each: each * np.nan}, r"scores: \[nan\]; a score lies in \[0, 1\]"),
    ({"scores": lambda _: np.zeros(2, np.float32)}, r"scores: shape \(2,\); the card names 1 findings"),
    ({"tolerance": lambda _: np.inf}, r"tolerance: inf; above 0, at most 0\.1"),
    ({"tolerance": lambda _: 0.0}, r"tolerance: 0\.0; above 0, at most 0\.1"),
    ({"peaks": lambda _: np.zeros(3, np.int64)}, r"peaks: shape \(3,\); row and column"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), GOLDEN_FAULTS)
def test_a_golden_film_that_tells_nothing_is_refused(folder: Path, changes: dict[str, Any], said: str) -> None:
    with_arrays(folder, "golden.npz", **changes)

    assert re.search(f"model: golden.npz: {said}", "\n".join(faults_of_folder(folder)))
    with pytest.raises(InvalidCardError, match=said):
        load_model(folder)


def test_a_golden_film_that_the_model_answers_otherwise_is_a_fault(folder: Path) -> None:
    with_arrays(folder, "golden.npz", scores=shifted)

    (fault,) = faults_of_folder(folder)

    assert re.search(r"golden film: a score differs by 0\.\d+; at most 0\.01 is allowed", fault)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"hello", None])
@pytest.mark.parametrize(("name", "kind"), [("atlas.npz", Atlas), ("golden.npz", Golden)])
def test_a_damaged_file_beside_the_weights_is_one_clear_error(
    folder: Path, name: str, kind: type[Atlas] | type[Golden], content: bytes | None
) -> None:
    whole = (folder / name).read_bytes()
    flipped = whole[:3000] + bytes(100) + whole[3100:]
    (folder / name).write_bytes(flipped if content is None else content)
    digest_again(folder, name)

    with pytest.raises(InvalidCardError, match=rf"^{name}: no (atlas|golden film)"):
        kind.load(folder / name)
    (fault,) = faults_of_folder(folder)
    assert f"{folder}: {name}: no " in fault
    assert "pickle" not in fault


def test_faults_of_every_part_come_together(folder: Path) -> None:
    for old, new in (
        ("233604007", "233604008"), ("temperature = ", "temperature = -"), ("side = 224", "side = 64"),
        ("channels = 1", "channels = 3"),
    ):  # fmt: skip
        changed(folder, old, new)
    (folder / "golden.npz").unlink()
    (folder / "atlas.npz").write_bytes(b"x")

    said = list(faults_of_folder(folder))

    expected = (
        "findings.0.code: 233604008", "findings.0.temperature: -", "atlas.npz: sha256 is", "golden.npz: not found",
        "input.channels: 3, the network takes 1", "input.side: 64, the network takes 224",
    )  # fmt: skip
    assert len(expected) == len(said)
    assert all(part in fault for part, fault in zip(expected, said, strict=True))
    assert all(fault.startswith(f"{folder}: ") and fault.count(str(folder)) == 1 for fault in said)


def test_an_unknown_kind_is_said_beside_a_missing_file(folder: Path) -> None:
    changed(folder, 'kind = "onnx"', 'kind = "onxx"')
    (folder / "atlas.npz").unlink()

    missing, unknown = faults_of_folder(folder)

    assert "atlas.npz: not found" in missing
    assert "weights.kind: 'onxx' is none of onnx" in unknown


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = \n", "no TOML: Invalid value"),
        (b'name = "pneumonia-lit\xe9"', "byte 21 is 0xe9, which is no UTF-8"),
        (b'\xef\xbb\xbfname = "a"', "the file begins with a byte order mark, which TOML has not"),
    ],
)
def test_a_card_that_is_no_toml_is_one_clear_error(folder: Path, content: bytes, said: str) -> None:
    (folder / "card.toml").write_bytes(content)

    (fault,) = faults_of_folder(folder)

    assert said in fault
    assert "card.toml: " in fault


def unreadable(folder: Path, name: str) -> None:
    """Put what the system does not read, not even for root, in the place of a file."""
    (folder / name).unlink()
    (folder / name).symlink_to("/proc/self/mem")


def test_brackets_without_end_in_a_card_are_one_clear_error(folder: Path) -> None:
    (folder / "card.toml").write_text("name = " + "[" * 5000, encoding="utf-8")

    (fault,) = faults_of_folder(folder)

    assert "card.toml: no TOML: " in fault


@pytest.mark.parametrize("name", ["card.toml", "model.onnx", "atlas.npz"])
def test_a_file_that_cannot_be_read_is_one_clear_error(folder: Path, clinical_film: Path, name: str) -> None:
    unreadable(folder, name)

    checked = CliRunner().invoke(app, ["check", str(folder)])
    read = CliRunner().invoke(app, ["predict", "--model", str(folder), str(clinical_film)])

    assert (1, 1) == (checked.exit_code, len(checked.stdout.splitlines()))
    assert (2, "") == (read.exit_code, read.stdout)
    for said in (checked.stdout, read.stderr):
        assert f"{name}: cannot be read (Input/output error)" in said
    assert 1 == len(read.stderr.splitlines())


def test_a_folder_that_may_not_be_entered_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    folder.chmod(0o444)
    try:
        done = without_privileges("-m", "inference", "check", str(folder))
    finally:
        folder.chmod(0o700)

    assert (1, 1) == (done.returncode, len(done.stdout.splitlines())), done.stderr
    assert "card.toml: cannot be read (Permission denied)" in done.stdout


def test_a_check_that_comes_to_no_end_says_so(folder: Path) -> None:
    assert [f"{folder}: the network came to no end in 0.01 s"] == faults_apart(folder, "cpu", limit_s=0.01)

    result = CliRunner().invoke(app, ["check", str(folder), "--limit-s", "0.1"])

    assert (1, f"{folder}: the network came to no end in 0.1 s\n") == (result.exit_code, result.stdout)


def test_the_command_tries_the_network_on_its_golden_film(folder: Path) -> None:
    sound = CliRunner().invoke(app, ["check", str(folder)])
    with_arrays(folder, "golden.npz", scores=shifted)
    wrong = CliRunner().invoke(app, ["check", str(folder)])

    assert (0, f"{folder}: nothing is wrong\n") == (sound.exit_code, sound.stdout)
    assert (1, 1) == (wrong.exit_code, wrong.stdout.count("golden film: a score differs"))


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_no_figures_are_made_of_a_model_that_answers_its_golden_film_otherwise(
    command: str, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")
    with_arrays(folder, "golden.npz", scores=shifted)
    models = {"evaluate": ["--model", str(folder)], "compare": [str(DEFAULT_MODEL), str(folder)]}[command]

    result = CliRunner().invoke(app, [command, *models, "--data", str(tmp_path), "--out", str(tmp_path / "out")])

    assert 2 == result.exit_code
    assert "golden film: a score differs" in result.output
    assert not (tmp_path / "out").exists()
