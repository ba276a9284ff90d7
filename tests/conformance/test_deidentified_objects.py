"""What was valid stays valid without identity, in the eyes of dciodvfy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.refusal import RefusedError

pytestmark = pytest.mark.peer

Run = Callable[..., CompletedProcess[str]]

PROFILES = {
    "basic": frozenset(),
    "everything": frozenset(Option) - {Option.RETAIN_MODIFIED_DATES},
    "moved": frozenset(Option) - {Option.RETAIN_FULL_DATES, Option.RETAIN_UIDS},
}


DEIDENTIFIER = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))))


def errors(run_tool: Run, path: Path) -> set[str]:
    """Return the errors, without the values that they name."""
    said = run_tool("dciodvfy", path)
    lines = (said.stderr + said.stdout).splitlines()
    return {re.sub(r"<[^>]*>|\d+", "", line) for line in lines if line.startswith("Error")}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, run_tool: Run) -> list[Path]:
    """Return the files of the collection that are valid and not refused."""
    found = []
    for path in sorted(path for path in (data_dir / "dicom").rglob("*") if path.is_file()):
        try:
            with path.open("rb") as source:
                DEIDENTIFIER.write(source, tmp_path_factory.mktemp("copy"))
        except RefusedError:
            continue
        if not errors(run_tool, path):
            found.append(path)
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_valid_stays_valid(tmp_path: Path, valid: list[Path], run_tool: Run, profile: str) -> None:
    deidentifier = replace(DEIDENTIFIER, profile=Profile(profile, PROFILES[profile]))
    worse = {}
    for number, path in enumerate(valid):  # some are one instance in several syntaxes
        folder = tmp_path / str(number)
        with path.open("rb") as source:
            written = deidentifier.write(source, folder)
        if found := errors(run_tool, folder / written.path):
            worse[path.name] = found

    assert {} == worse
    assert len(valid) >= 30
