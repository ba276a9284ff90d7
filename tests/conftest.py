"""What tests of every kind use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicom_node.ledger.database import migrate, open_database


def package_file(name: str) -> Path:
    """Return an image of the packages pydicom and pydicom-data."""
    found = get_testdata_file(name, download=False)
    assert found, f"{name} is missing: pip install pydicom-data"
    return Path(str(found))


@pytest.fixture(scope="session")
def chest_film() -> Path:
    """A clinical chest radiograph (CR, MONOCHROME1, 15 of 16 bits)."""
    return package_file("RG1_UNCR.dcm")


@pytest.fixture(scope="session")
def ct_slice() -> Path:
    return package_file("CT_small.dcm")


@pytest.fixture
def database(tmp_path: Path) -> Iterator:
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def as_study(source: Path, target: Path, number: int, **attributes: object) -> Path:
    """Write a copy of an image under UIDs of its own."""
    dataset = pydicom.dcmread(source)
    for keyword, suffix in (
        ("StudyInstanceUID", ""),
        ("SeriesInstanceUID", ".1"),
        ("SOPInstanceUID", ".1.1"),
    ):
        setattr(dataset, keyword, f"2.25.4711.{number}{suffix}")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(target, enforce_file_format=True)
    return target
