"""The studies that the demonstration sends: clinical images that the package pydicom-data brings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

ROOT_UID = "2.25.314159265358979323846"


@dataclass(frozen=True)
class DemoStudy:
    """A study to send.

    Attributes
    ----------
    expected
        ``read`` or ``refused``.
    sends
        How often it is sent: the second time must change nothing.
    """

    title: str
    file: Path
    uid: str
    expected: str
    sends: int = 1


def demo_studies(folder: Path) -> list[DemoStudy]:
    """Write the studies to a folder and return them."""
    folder.mkdir(parents=True)
    return [
        _study(folder, 1, "chest film, uncompressed", "RG1_UNCR.dcm", "read"),
        _study(folder, 2, "chest film, JPEG 2000", "RG1_J2KR.dcm", "read"),
        _study(folder, 3, "chest film, sent twice", "RG1_UNCI.dcm", "read", sends=2),
        _study(folder, 4, "radiograph of an extremity", "RG3_UNCR.dcm", "refused"),
        _study(folder, 5, "CT slice", "CT_small.dcm", "refused"),
    ]


def _study(folder: Path, number: int, title: str, source: str, expected: str, sends: int = 1) -> DemoStudy:
    """Copy an image under UIDs and an accession of its own: the package's files share theirs."""
    path = get_testdata_file(source)
    if path is None:
        raise SystemExit(f"{source} is missing: pip install pydicom-data")
    dataset = pydicom.dcmread(path)
    dataset.StudyInstanceUID = f"{ROOT_UID}.{number}"
    dataset.SeriesInstanceUID = f"{ROOT_UID}.{number}.1"
    dataset.SOPInstanceUID = f"{ROOT_UID}.{number}.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientID = f"DEMO-{number}"
    dataset.AccessionNumber = f"ACC-{number}"
    file = folder / f"study-{number}.dcm"
    dataset.save_as(file, enforce_file_format=True)
    return DemoStudy(title, file, str(dataset.StudyInstanceUID), expected, sends)
