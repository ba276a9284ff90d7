"""Results reach standard output, or the command says that they did not."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_films import made_folder

from inference.models import DEFAULT_MODEL

PREDICT = [sys.executable, "-m", "inference", "predict", "--jsonl"]


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = os.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


def test_results_go_where_they_are_sent_while_a_terminal_shows_progress(clinical_film: Path, terminal: int) -> None:
    shown = {**os.environ, "TERM": "xterm"}

    done = subprocess.run([*PREDICT, clinical_film], stdout=subprocess.PIPE, stderr=terminal, env=shown, check=True)

    assert str(clinical_film) == json.loads(done.stdout)["file"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that is refused at once."""
    path = tmp_path_factory.mktemp("text") / "note.txt"
    path.write_text("no film", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("to", "reason"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_a_result_that_cannot_be_written_is_one_line(text: str, to: str, reason: str) -> None:
    for command in ([*PREDICT, text], [sys.executable, "-m", "inference", "check", str(DEFAULT_MODEL)]):
        done = subprocess.run(
            ["sh", "-c", f"{shlex.join(command)} {to}"], stderr=subprocess.PIPE, text=True, check=False
        )

        assert (2, f"standard output: {reason}; results are missing\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("standard_input", ["@-", "@/dev/stdin", "@/dev/fd/0", "@/proc/self/fd/0"])
def test_relative_names_on_standard_input_start_where_the_command_does(text: str, standard_input: str) -> None:
    folder, name = Path(text).parent, Path(text).name

    done = subprocess.run(
        [*PREDICT, standard_input], cwd=folder, input=f"{name}\n", capture_output=True, text=True, check=False
    )

    assert (0, name) == (done.returncode, json.loads(done.stdout)["file"]), done.stderr


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that measures few films."""
    pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")
    folder = tmp_path_factory.mktemp("measured")
    data, out = made_folder(folder / "films"), folder / "out"
    asked = ["--data", str(data), "--out", str(out), "--split", "validation", "--no-films"]
    return [sys.executable, "-m", "inference", "evaluate", *asked]


def test_figures_that_cannot_be_written_are_one_line_too(evaluation: list[str]) -> None:
    line = f"{shlex.join(evaluation)} > /dev/full"

    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)

    assert 2 == done.returncode
    assert "standard output: No space left on device; results are missing" == done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_figures_have_the_columns_of_the_terminal(evaluation: list[str]) -> None:
    given = {**os.environ, "COLUMNS": "70"}

    done = subprocess.run(evaluation, env=given, capture_output=True, text=True, check=True)

    assert "calibration_error, if calibrated" in done.stdout
    assert 64 <= max(map(len, done.stdout.splitlines())) <= 70


def test_a_full_disk_under_both_outputs_gives_the_same_status(text: str) -> None:
    done = subprocess.run(["sh", "-c", f"{shlex.join([*PREDICT, text])} > /dev/full 2>&1"], check=False)

    assert 2 == done.returncode


@pytest.mark.parametrize("command", ["predict", "check"])
def test_a_standard_error_that_cannot_be_written_decides_no_status(text: str, command: str) -> None:
    line = {"predict": [*PREDICT, text], "check": [sys.executable, "-m", "inference", "check", str(DEFAULT_MODEL)]}[
        command
    ]

    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(line)} 2> /dev/full"], stdout=subprocess.PIPE, text=True, check=False
    )

    assert (0, 1) == (done.returncode, len(done.stdout.splitlines()))


@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT])
def test_a_reader_that_leaves_ends_the_command_quietly(text: str, errors: int) -> None:
    with subprocess.Popen([*PREDICT, *[text] * 50], stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        assert process.stdout is not None
        assert text == json.loads(process.stdout.readline())["file"]
        process.stdout.close()
        said = process.stderr.read() if process.stderr else ""

    assert (141, "") == (process.returncode, said)
