"""Results reach standard output, or the command says that they did not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
