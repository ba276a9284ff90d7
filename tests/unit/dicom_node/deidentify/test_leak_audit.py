"""The audit finds each kind of value in each spelling and character set, and nothing where nothing is."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.deidentify.audit import Kind, leaks


def original() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.826.0.1.55"
    dataset.PatientName, dataset.PatientID = "Müßig^Adele", "ZX-4711-09"
    dataset.PatientBirthDate, dataset.StudyDate = "19561127", "20240229"
    dataset.PatientAddress, dataset.PatientTelephoneNumbers = "Lindenallee 5", "+49 30 1234567"
    dataset.InstitutionName, dataset.StationName = "Klinikum Nord", "CT-WEST-2"
    nested = Dataset()
    nested.AccessionNumber, nested.RequestingPhysician = "ACC77123", "Nachtigall^Otto"
    dataset.RequestAttributesSequence = Sequence([nested])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


@pytest.mark.parametrize(
    ("planted", "path"),
    [
        (b"xx ADELE yy", "PatientName"), (b"Report on adele", "PatientName"),
        ("Frau MÜßIG".encode(), "PatientName"), ("Müßig".encode("latin-1"), "PatientName"),
        ("Müßig, Adele".encode("utf-16-le"), "PatientName"),
        ("Nachtigall".encode("utf-16-be"), "RequestAttributesSequence[0]/RequestingPhysician"),
        (b"drnachtigall@x", "RequestAttributesSequence[0]/RequestingPhysician"),
        (b"zx-4711-09", "PatientID"), (b"acc77123", "RequestAttributesSequence[0]/AccessionNumber"),
        (b"19561127", "PatientBirthDate"), (b"27.11.1956", "PatientBirthDate"), (b"11/27/1956", "PatientBirthDate"),
        (b"27 Nov 1956", "PatientBirthDate"), (b"2024-02-29", "StudyDate"), (b"Feb 29, 2024", "StudyDate"),
        (b"LINDENALLEE 5", "PatientAddress"), (b"49301234567", "PatientTelephoneNumbers"),
        (b"klinikum nord", "InstitutionName"), (b"CT-WEST-2", "StationName"), (b"1.2.826.0.1.55\0", "SOPInstanceUID"),
    ],
)  # fmt: skip
def test_a_value_is_found_in_any_spelling(planted: bytes, path: str) -> None:
    found = leaks(original(), b"\0" * 10 + planted + b"\0" * 11)

    assert path in {leak.path for leak in found}
    assert not any(secret in repr(found).lower() for secret in ("adele", "4711", "1956", "nachtigall"))


@pytest.mark.parametrize(
    "harmless",
    [
        b"Madeleine adelert", b"119561127", b"1.2.826.0.1.553", b"1.2.826.0.1.55.1", b"ANONYMIZED", b"CT-WEST-21",
        b"ORIGINAL\\PRIMARY\\AXIAL", b"",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_not(harmless: bytes) -> None:
    assert not leaks(original(), b"\0" + harmless + b" ")


def test_what_the_profile_retains_is_allowed() -> None:
    written = b" Klinikum Nord 20240229 "

    assert {leak.kind for leak in leaks(original(), written)} == {Kind.INSTITUTION, Kind.DATE}
    assert not leaks(original(), written, {Kind.INSTITUTION, Kind.DATE})


def test_every_file_of_the_collection_is_found_in_itself_and_nowhere_else(test_data: Path) -> None:
    found = 0
    for path in sorted((test_data / "dicom").rglob("*")):
        try:
            source = pydicom.dcmread(path, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError):
            continue
        assert not leaks(source, b"\0" * 2000), path.name
        named = "".join(filter(str.isalpha, str(source.get("SOPInstanceUID") or ""))) or source.get("SOPInstanceUID")
        if named and len(str(named)) > 4:
            assert leaks(source, path.read_bytes()), path.name
            found += 1

    assert found > 250


def test_a_file_is_searched_with_its_preamble() -> None:
    dataset = original()
    stream = io.BytesIO()
    clean = Dataset()
    clean.SOPClassUID, clean.SOPInstanceUID = CTImageStorage, "2.25.1"
    clean.file_meta, clean.preamble = dataset.file_meta, b"Adele".ljust(128, b"\0")
    clean.save_as(stream, enforce_file_format=True)

    assert [leak.path for leak in leaks(dataset, stream.getvalue())] == ["PatientName"]
