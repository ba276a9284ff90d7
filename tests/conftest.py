"""What tests of every kind use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file

from dicom_node.ledger.database import migrate, open_database


def package_file(name: str) -> Path:
    """Return an image of the packages pydicom and pydicom-data."""
    found = get_testdata_file(name, download=False)
    assert found, f"{name} is missing: pip install pydicom-data"
    return Path(str(found))


def charset_file(name: str) -> Path:
    """Return one of pydicom's files with a name in another script."""
    (found,) = get_charset_files(f"{name}.dcm")
    return Path(str(found))


@pytest.fixture(scope="session")
def chest_film() -> Path:
    """A clinical chest radiograph (CR, MONOCHROME1, 15 of 16 bits)."""
    return package_file("RG1_UNCR.dcm")


@pytest.fixture(scope="session")
def ct_slice() -> Path:
    return package_file("CT_small.dcm")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real DICOM files that are too many to ship; absent: skipped, under CI a failure."""
    folder = Path(os.environ.get("DICOM_NODE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        message = f"no test data in {folder}: set DICOM_NODE_TEST_DATA"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator:
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def cut_in_sequence(source: Path, target: Path) -> Path:
    """Write the first elements of an image, its UIDs, and a sequence of undefined length that has no end.

    pydicom raises an OSError at such a stream, one without a number (`errno`).
    """
    dataset = pydicom.dcmread(source, stop_before_pixels=True)
    for element in [one for one in dataset if one.tag.group > 0x08 and "UID" not in one.VR]:
        del dataset[element.tag]
    dataset.save_as(target)
    # RequestAttributesSequence (0040,0275), SQ of undefined length in explicit VR (PS3.5 7.5.2)
    target.write_bytes(target.read_bytes() + b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff")
    return target


def damaged_database(path: Path) -> Path:
    """Write a database of the node whose first bytes are overwritten."""
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    with path.open("r+b") as file:
        file.write(b"something else..")
    return path


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
