"""`predict` takes files, folders and lists, and says how like a film is to those that the model knows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_folders import FILM, PNEUMONIA, finding, write_card
from privileges import without_privileges
from typer.testing import CliRunner

from inference.atlas import Atlas
from inference.cli import app
from inference.errors import FilmError, ListError
from inference.file_names import files_of, listed, named_files, on_one_line
from inference.models import Answer, Model, load_model
from inference.models.folder import sha256_of
from inference.reading import Reading, Source, json_line
from inference.types import Familiarity, ReferenceCase

torch = pytest.importorskip("torch")
from test_model_kinds import Pooled, exported  # noqa: E402 - only with torch


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    ramp = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (90, 1))
    paths = [tmp_path / "films" / name for name in ("a.png", "b.jpg")]
    paths[0].parent.mkdir()
    for path in paths:
        cv2.imwrite(str(path), ramp)
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    exported(Pooled(1), tmp_path / "model" / "m.pt2")
    return write_card(tmp_path / "model", "m.pt2", "torch-export", [finding(code=PNEUMONIA)], FILM)


def predicted(folder: Path, *arguments: str) -> list[dict]:
    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--jsonl", *arguments])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_list_a_folder_and_files_give_the_same_lines(folder: Path, films: list[Path], tmp_path: Path) -> None:
    names = tmp_path / "list.txt"
    names.write_text("\n".join(map(str, films)) + "\n\n", encoding="utf-8")

    expected = predicted(folder, *map(str, films))

    assert [str(film) for film in films] == [line["file"] for line in expected]
    assert ("ours", "1", {"pneumonia": 0.5}) == tuple(expected[0][key] for key in ("model", "version", "threshold"))
    assert expected == predicted(folder, f"@{names}")
    assert expected == predicted(folder, "--list", str(names))
    assert expected == predicted(folder, str(films[0].parent))
    assert "familiarity" not in expected[0]


@pytest.mark.parametrize("name", ["gone.png", "films/a.png/b.png", "x" * 300, "gone[/x].png"])
def test_what_is_not_there_is_said_before_anything_is_read(
    folder: Path, films: list[Path], tmp_path: Path, name: str
) -> None:
    names = tmp_path / "list.txt"
    names.write_text(f"films/a.png\n{name}\n", encoding="utf-8")

    for arguments in ([str(films[0]), str(tmp_path / name)], [f"@{names}"]):
        result = CliRunner().invoke(app, ["predict", "--model", str(folder), *arguments])
        assert (2, "") == (result.exit_code, result.stdout)
        assert f"{tmp_path / name}: not found" in result.stderr


def test_a_list_that_is_not_there_is_said(folder: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "@nowhere.txt"])

    assert (2, True) == (result.exit_code, "nowhere.txt: No such file" in result.stderr)


def test_a_folder_without_a_file_is_said(folder: Path, films: list[Path], tmp_path: Path) -> None:
    empty, names = tmp_path / "empty", tmp_path / "list.txt"
    (empty / "within").mkdir(parents=True)
    names.write_text("empty\n", encoding="utf-8")

    for arguments in ([str(empty)], [str(films[0]), str(empty)], [f"@{names}"]):
        result = CliRunner().invoke(app, ["predict", "--model", str(folder), *arguments])
        assert (2, "") == (result.exit_code, result.stdout)
        assert f"{empty}: a folder without a file" in result.stderr


def test_what_is_left_out_of_a_folder_is_said(folder: Path, films: list[Path], tmp_path: Path) -> None:
    there = films[0].parent
    for name, mode in (("locked", 0o000), ("listed", 0o644)):
        (there / name).mkdir()
        shutil.copy(films[0], there / name / "c.png")
        (there / name).chmod(mode)
    (there / "closed.png").touch(mode=0o000)
    (there / "folder-link").symlink_to(tmp_path / "model")
    (there / "loop").symlink_to("loop")
    (there / "nowhere").symlink_to("gone")
    os.mkfifo(there / "pipe")

    result = without_privileges("-m", "inference", "predict", "--jsonl", "--model", str(folder), str(there))

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {
        "a.png": None,
        "b.jpg": None,
        "closed.png": "unreadable",
        "folder-link": "link",
        "listed/c.png": "unreadable",
        "locked": "unreadable",
        "loop": "unreadable",
        "nowhere": "unreadable",
        "pipe": "no-file",
    } == {str(Path(line["file"]).relative_to(there)): line["refused"] for line in lines}
    assert (1, 9, False) == (result.returncode, len(lines), "Traceback" in result.stderr)


def test_a_folder_that_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o000)

    result = without_privileges("-m", "inference", "predict", str(tmp_path / "locked"))

    assert (2, "") == (result.returncode, result.stdout)
    assert f"{tmp_path / 'locked'}: a folder that cannot be read (PermissionError)" in result.stderr


def test_a_precision_is_not_chosen_by_a_part_of_a_folder(films: list[Path], tmp_path: Path) -> None:
    assert films == files_of([films[0].parent])

    (films[0].parent / "nowhere").symlink_to("gone")

    with pytest.raises(ListError, match=r"nowhere: cannot be read \(FileNotFoundError\)"):
        files_of([films[0].parent])


def test_of_a_thousand_names_that_lead_nowhere_five_are_said(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"4: not found \(.*\); and 995 names more$"):
        listed([tmp_path / str(number) for number in range(1000)])


def test_relative_names_start_at_the_folder_of_the_list(
    folder: Path, films: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = films[0].parent / "list.txt"
    names.write_bytes(b"\xef\xbb\xbfa.png\r\n./b.jpg\r\n\r\n")
    monkeypatch.chdir(folder)

    assert [str(film) for film in films] == [line["file"] for line in predicted(folder, f"@{names}")]


def test_a_file_whose_name_is_no_text_is_read(folder: Path, films: list[Path]) -> None:
    strange = Path(os.fsdecode(os.fsencode(films[0].parent) + b"/\xff.png"))
    strange.write_bytes(films[0].read_bytes())

    (line,) = predicted(folder, str(strange))

    assert (r"\xff.png", None) == (Path(line["file"]).name, line["refused"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"a\nb.png", r"a\nb.png"),
        (b"\xff.png", r"\xff.png"),
        ("a\u2028b\x1b.png".encode(), r"a\u2028b\x1b.png"),
        ("胸部\u3000正面 [1].png".encode(), "胸部\u3000正面 [1].png"),
    ],
)
def test_a_name_breaks_no_line(name: bytes, shown: str) -> None:
    assert shown == on_one_line(Path(os.fsdecode(name)))


def test_a_name_that_is_too_long_is_said_in_short(tmp_path: Path) -> None:
    name = "a" * 50_000 + "b" * 50_000

    with pytest.raises(ListError, match=r"aaa … bbb.* \(\d{6} characters\): not found \(File name too long\)") as error:
        listed([tmp_path / name])
    assert len(str(error.value)) < 1100
    with pytest.raises(ListError, match=r"characters\): File name too long") as error:
        named_files(tmp_path / name)
    assert len(str(error.value)) < 1100


def test_a_sentence_is_a_line_whatever_the_name(model: Model) -> None:
    refused = Reading(Source((Path("a\nb.png"),)), FilmError("format", "no film"))

    assert r"a\nb.png: refused (format), no film" == refused.sentence(model)


def test_only_line_feeds_end_a_line_of_a_list(tmp_path: Path) -> None:
    names = ["a\u2028b.png", "a\x0cb.png", "a\u0085b.png", "a\rb.png", "d.png"]
    (tmp_path / "list.txt").write_bytes("\r\n".join(names[:3]).encode() + "\n{}\n {} \n".format(*names[3:]).encode())

    assert [tmp_path / name for name in names] == named_files(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("content", "said"), [(b"a.png\n\xff\xfe.png\n", "line 2 is no UTF-8; a list has"), (b"\n", "empty; a list has")]
)
def test_a_list_that_is_none_is_one_clear_error(folder: Path, tmp_path: Path, content: bytes, said: str) -> None:
    names = tmp_path / "list.txt"
    names.write_bytes(content)

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--list", str(names)])

    assert (2, "") == (result.exit_code, result.stdout)
    assert f"{names}: {said}" in result.stderr


@pytest.mark.parametrize(("limit", "refused"), [(1e6, None), (1e-6, "unfamiliar")])
def test_a_model_with_an_atlas_says_what_a_film_is_like(
    folder: Path, films: list[Path], limit: float, refused: str | None
) -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(4, 16)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    atlas = Atlas(
        embeddings, tuple("pnpn"), tuple("abcd"), np.zeros(16, np.float32), np.eye(16, dtype=np.float32), limit
    )
    atlas.save(folder / "atlas.npz")
    write_card(folder, "m.pt2", "torch-export", [finding()], FILM,
               atlas={"file": "atlas.npz", "sha256": sha256_of(folder / "atlas.npz")})  # fmt: skip

    (line,) = predicted(folder, str(films[0]))

    assert line["refused"] == refused
    assert (refused is None) == (line["familiarity"] is not None and line["familiarity"] < 1.0)
    assert ([] if refused else 3) == (line["nearest"] if refused else len(line["nearest"]))


FILE = Path("film.png")


@pytest.fixture
def model(folder: Path) -> Model:
    return load_model(write_card(folder, "m.pt2", "torch-export", [finding(references=["Cell 2018"])], FILM))


def answered(score: float, familiarity: Familiarity | None = None) -> Reading:
    return Reading(Source((FILE,)), Answer(np.array([score], np.float32), None, familiarity))


@pytest.mark.parametrize(("score", "side"), [(0.75, "above"), (0.5, "above"), (0.25, "below")])
def test_the_side_of_the_threshold_is_said(model: Model, score: float, side: str) -> None:
    line = json.loads(json_line(model, answered(score)))

    assert {"pneumonia": side == "above"} == line["above"]
    assert f"film.png: pneumonia {score:.3f} ({side} 0.500)" == answered(score).sentence(model)


def test_a_line_names_the_literature_of_the_card(model: Model) -> None:
    assert ["Cell 2018"] == json.loads(json_line(model, answered(0.5)))["literature"]


def test_what_is_refused_has_neither_side_nor_literature(model: Model) -> None:
    line = json.loads(json_line(model, Reading(Source((FILE,)), FilmError("view", "ViewPosition: LL"))))

    assert ({}, []) == (line["above"], line["literature"])


def test_a_sentence_says_how_far_a_film_is_from_those_that_the_model_knows(model: Model) -> None:
    cases = (ReferenceCase("NIH 1", "normal", 0.9), ReferenceCase("NIH 2", "normal", 0.8))
    said = answered(0.5, Familiarity(0.995, "", cases)).sentence(model)

    assert "film.png: pneumonia 0.500 (above 0.500); distance 0.995 of at most 1.000, most like NIH 1 (normal)" == said
