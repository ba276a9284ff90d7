"""What a header says of a patient does not reach standard error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from inference.models import DEFAULT_MODEL


@pytest.fixture(params=[("NumberOfFrames", "IS"), ("SpecificCharacterSet", "CS")], ids=lambda each: each[0])
def film(request: pytest.FixtureRequest, clinical_film: Path, tmp_path: Path) -> Path:
    """A film with a name where the standard wants something else."""
    keyword, vr = request.param
    dataset, tag = pydicom.dcmread(clinical_film), Tag(keyword)
    dataset._dict[tag] = RawDataElement(tag, vr, 10, b"SECRETJANE", 0, False, True)  # type: ignore[index]
    dataset.save_as(tmp_path / "film.dcm")
    return tmp_path / "film.dcm"


def said_by(*arguments: object) -> str:
    command = [sys.executable, "-m", "inference", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_a_process_that_decodes_quotes_no_value(film: Path) -> None:
    said = said_by("predict", film)

    assert (True, False) == (f"{film}: " in said, "SECRETJANE" in said)


@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_a_command_quotes_no_value(film: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(DEFAULT_MODEL, tmp_path / "model")

    said = said_by("golden", folder, film)

    assert (True, False) == ("golden film" in said or "header: an element" in said, "SECRETJANE" in said)
