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
