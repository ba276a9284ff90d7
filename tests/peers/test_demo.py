"""The demonstration of the README, with its stand-ins and with an Orthanc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.peers import orthanc_program

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "demo-output"

pytestmark = pytest.mark.timeout(300)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "demonstration"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_the_demonstration_gets_every_result_and_leaves_it_to_be_looked_at() -> None:
    done = demo()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every expected result arrived and was checked" in done.stdout
    assert (OUTPUT / "index.html").exists()
    assert 5 == len(list((OUTPUT / "fhir").glob("*.json")))
    assert 5 == len(list((OUTPUT / "pictures").glob("*-summary.png")))


@pytest.mark.peer
def test_the_demonstration_works_with_an_orthanc_as_source_and_as_pacs() -> None:
    orthanc_program()

    done = demo("--pacs", "orthanc")

    assert done.returncode == 0, done.stdout + done.stderr
