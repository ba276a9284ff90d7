"""The results of each film, built once, and the checkers of others."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from films import missing, request_for, source_header
from pydicom.dataset import Dataset

from structured_reports.build import build_results
from structured_reports.port import ReportRequest, ResultObject


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real DICOM files."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("DICOM_NODE_TEST_DATA", beside))
    if not (folder / "dicom").is_dir():
        missing(f"test data ({folder}; set DICOM_NODE_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def run_tool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a program of DCMTK or dicom3tools."""

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        if shutil.which(program) is None:
            missing(program)
        return subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def built() -> Callable[[str, str], dict[str, ResultObject]]:
    """Return a function that gives the objects of a source and an outcome, built once."""

    @cache
    def results(source: str, outcome: str) -> dict[str, ResultObject]:
        return {result.kind: result for result in build_results(request_for(source, outcome))}

    return results


@pytest.fixture(scope="session")
def header_of() -> Callable[[str], Dataset]:
    """Return a function that gives the header of a source, read anew."""
    return source_header


@pytest.fixture(scope="session")
def request_of() -> Callable[..., ReportRequest]:
    """Return a function that gives the request of a source and an outcome."""
    return request_for
