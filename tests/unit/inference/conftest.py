"""Films and models that the tests of `inference` share."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from inference.models import DEFAULT_MODEL, Model, load_model

REPOSITORY = Path(__file__).parents[3]


def data_folder(name: str) -> Path:
    """Return a folder of the test data, or skip; in CI its absence is a failure."""
    root = Path(os.environ.get("DICOM_NODE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if (root / name).is_dir():
        return root / name
    message = f"{root / name} not found: set DICOM_NODE_TEST_DATA to the folder of the test data"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chest_films() -> Path:
    return data_folder("cxr")


@pytest.fixture(scope="session")
def dicom_files() -> Path:
    return data_folder("dicom")


@pytest.fixture(scope="session")
def clinical_film() -> Path:
    """A true chest CR: PA, MONOCHROME1, 15 of 16 bits."""
    path = get_testdata_file("RG1_UNCR.dcm")
    assert path is not None
    return Path(str(path))


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def trained_seed() -> int:
    """Seed of the shipped model's splits: under another one its training films would be measured."""
    return int(tomllib.loads((DEFAULT_MODEL / "recipe.toml").read_text(encoding="utf-8"))["seed"])
