"""What is written is there whole or not at all, or it is said in a line why it is not."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from made_films import made_folder
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import OutputError
from inference.models import DEFAULT_MODEL
from inference.whole_files import gathered, replaced, require_writable

RECIPE = Path(__file__).parents[3] / "inference" / "recipes" / "teacher-children.toml"


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond 16 KiB, as where a disk is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def names_in(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_files_that_are_gathered_come_together_with_those_of_their_folders(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("old", encoding="utf-8")

    with gathered(tmp_path, "index.html") as part:
        (part / "pictures").mkdir()
        (part / "pictures" / "a.png").write_bytes(b"a")
        (part / "index.html").write_text("new", encoding="utf-8")
        assert "old" == (tmp_path / "index.html").read_text(encoding="utf-8")

    assert {"index.html", "pictures/a.png"} == names_in(tmp_path)
    assert "new" == (tmp_path / "index.html").read_text(encoding="utf-8")


def test_nothing_is_changed_where_gathering_fails(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text("old", encoding="utf-8")

    with pytest.raises(KeyboardInterrupt), gathered(tmp_path, "card.toml") as part:
        (part / "card.toml").write_text("new", encoding="utf-8")
        raise KeyboardInterrupt

    assert [tmp_path / "card.toml"] == list(tmp_path.iterdir())
    assert "old" == (tmp_path / "card.toml").read_text(encoding="utf-8")


GATHERING = """
import os, signal, sys
from pathlib import Path
from inference.whole_files import gathered

def replace(path, to):
    os.replace(path, to)
    if path.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with gathered(Path(sys.argv[1]), "card.toml") as part:
    for name in ("card.toml", "atlas.npz", "model.onnx"):
        (part / name).write_text("new")
    if sys.argv[2] == "none":
        os.kill(os.getpid(), signal.SIGKILL)
    Path.replace = replace
"""


@pytest.mark.parametrize(("after", "left"), [("none", set()), ("atlas.npz", {"atlas.npz"})])
def test_whoever_is_killed_while_gathering_leaves_no_card_and_nothing_for_the_next(
    tmp_path: Path, after: str, left: set[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", GATHERING, tmp_path, after], check=False)
    assert -signal.SIGKILL == done.returncode
    assert left == {each.name for each in tmp_path.iterdir() if each.is_file()}

    with gathered(tmp_path, "card.toml") as part:
        (part / "card.toml").write_text("next", encoding="utf-8")

    assert {"card.toml"} | left == names_in(tmp_path)


def test_a_full_disk_is_said_with_the_name_and_leaves_what_was(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old", encoding="utf-8")

    with (
        small_disk(),
        pytest.raises(OutputError, match=r"log: cannot be written \(File too large\)"),
        replaced(tmp_path / "log") as part,
    ):
        part.write_bytes(bytes(100_000))
    with small_disk(), pytest.raises(OutputError, match="too large"), gathered(tmp_path, "log") as part:
        (part / "log").write_bytes(bytes(100_000))

    assert ["log"] == [each.name for each in tmp_path.iterdir()]
    assert "old" == (tmp_path / "log").read_text(encoding="utf-8")


def test_a_folder_is_tried_without_a_trace(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file/out: cannot be written \(Not a directory\)"):
        require_writable(tmp_path / "file" / "out")
    assert ["file"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "command", [["evaluate"], ["compare", str(DEFAULT_MODEL), str(DEFAULT_MODEL)], ["train", str(RECIPE)]]
)
def test_a_folder_that_takes_nothing_is_said_before_the_work(tmp_path: Path, command: list[str]) -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    (tmp_path / "file").touch()

    # There are no films either: whoever read them first would say so.
    result = CliRunner().invoke(app, [*command, "--data", str(tmp_path), "--out", str(tmp_path / "file" / "out")])

    assert 2 == result.exit_code
    assert f"{tmp_path}/file/out: cannot be written (Not a directory)\n" == result.output


@pytest.mark.parametrize("command", [["evaluate"], ["compare", str(DEFAULT_MODEL), str(DEFAULT_MODEL)]])
def test_a_disk_that_fills_leaves_the_report_that_was(tmp_path: Path, command: list[str]) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("of a journey", encoding="utf-8")
    data = made_folder(tmp_path / "films")

    with small_disk():
        result = CliRunner().invoke(app, [*command, "--data", str(data), "--out", str(out)])

    assert 2 == result.exit_code, result.output
    assert f"{out}: cannot be written (File too large)" == result.output.splitlines()[-1]
    assert {"index.html"} == names_in(out)


@pytest.mark.parametrize("in_the_way", ["predictions.csv", "pictures"])
def test_what_is_in_the_way_leaves_what_was_there(tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / "index.html").write_text("former")
    (tmp_path / "evaluation.json").write_text("former")
    if in_the_way == "pictures":
        (tmp_path / "pictures").write_text("a file")
    else:
        (tmp_path / in_the_way).mkdir()

    with pytest.raises(OutputError, match="cannot be written"), gathered(tmp_path, "index.html") as part:
        (part / "pictures").mkdir()
        for name in ("evaluation.json", "predictions.csv", "pictures/1.png", "index.html"):
            (part / name).write_text("new")

    assert {"former"} == {(tmp_path / name).read_text() for name in ("index.html", "evaluation.json")}
    assert not list(tmp_path.glob(".*"))


def test_a_folder_on_another_disk_gets_its_files(tmp_path: Path) -> None:
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        assert tmp_path.stat().st_dev != Path(elsewhere).stat().st_dev
        (tmp_path / "pictures").symlink_to(elsewhere)
        (Path(elsewhere) / "films-1.png").touch()

        with gathered(tmp_path, "index.html", "pictures/films-*.png") as part:
            (part / "pictures").mkdir()
            (part / "pictures" / "1.png").write_text("new")
            (part / "index.html").write_text("new")
            assert (Path(elsewhere) / "films-1.png").exists()

        assert ["1.png"] == [each.name for each in Path(elsewhere).iterdir()]
        assert "new" == (tmp_path / "index.html").read_text()


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("former")
    (tmp_path / "card").symlink_to("real")

    with replaced(tmp_path / "card") as part:
        part.write_text("new")

    assert (tmp_path / "card").is_symlink()
    assert "new" == (tmp_path / "real").read_text()


def test_a_file_that_cannot_be_read_is_not_said_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^/elsewhere/log: No such file"), gathered(tmp_path / "out", "log"):
        Path("/elsewhere/log").read_bytes()


def test_a_link_that_leads_nowhere_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")

    with pytest.raises(OutputError, match="No such file"):
        require_writable(tmp_path / "out")
