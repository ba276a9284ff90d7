"""What is wrong with an instance is its refusal; what is wrong with disk or vault is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node import exporting
from dicom_node.deidentify.sources import Found
from dicom_node.deidentify.vault import VaultError
from dicom_node.exporting import Kept, export
from tests.unit.dicom_node.deidentify.test_deidentified_files import DEIDENTIFIER, slice_of


def exported(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> object:
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(exporting, "write_reported", fail)
    (folder / "in.dcm").write_bytes(slice_of())
    return export(Found(folder / "in.dcm"), folder, folder / "reports", DEIDENTIFIER, None)


def test_what_no_reader_foresaw_is_a_refusal_that_a_person_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Kept("malformed", "cannot be de-identified (TypeError)")
    assert expected == exported(tmp_path, monkeypatch, TypeError("Zeisig^Adele"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), VaultError("vault: database is locked")])
def test_disk_and_vault_are_no_fault_of_the_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(type(error)):
        exported(tmp_path, monkeypatch, error)


def test_a_stream_that_pydicom_calls_an_os_error_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Kept("malformed", "cannot be de-identified (OSError)")
    assert expected == exported(tmp_path, monkeypatch, OSError("No tag to read at file position 31E"))
