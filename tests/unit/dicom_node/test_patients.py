"""A study with images of several patients gives a result to none of them."""

from __future__ import annotations

import io
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_node.films import Source
from dicom_node.patients import SEVERAL, several_patients
from structured_reports.port import DICOM
from tests.conftest import as_study
from tests.unit.dicom_node.test_roster import copied, pipeline, table

ADELE = {"PatientID": "ZX1", "PatientName": "Zeisig^Adele", "PatientBirthDate": "19561127", "IssuerOfPatientID": "H"}


def sources(film: Path, folder: Path, *patients: dict[str, str]) -> list[Source]:
    made = []
    for number, attributes in enumerate(patients):
        path = as_study(film, folder / f"{number}.dcm", 1, **attributes)
        made.append(Source(str(number) * 64, path))
    return made


@pytest.mark.parametrize(
    ("other", "keyword"),
    [
        ({"PatientID": "ZX2"}, "PatientID"),
        ({"IssuerOfPatientID": "K"}, "IssuerOfPatientID"),
        ({"PatientBirthDate": "19561128"}, "PatientBirthDate"),
        ({"PatientName": "Meier^Otto", "PatientBirthDate": ""}, "PatientName"),
        ({"PatientName": "Meier^Otto", "PatientID": ""}, "PatientName"),
        ({"PatientName": "Zeisig^Anna", "PatientID": ""}, "PatientName"),
    ],
)
def test_what_contradicts_is_named_without_its_value(
    chest_film: Path, tmp_path: Path, other: dict[str, str], keyword: str
) -> None:
    refusal = several_patients(sources(chest_film, tmp_path, ADELE, ADELE | other))

    assert refusal is not None
    assert refusal.reason.startswith(f"{keyword} differs")
    assert not [value for value in (ADELE | other).values() if len(value) > 1 and value in refusal.reason]


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"PatientName": "ZEISIG^ADELE^^"},
        {"PatientName": "Zeisig-Meier^Adele"},
        {"PatientID": " ZX1 ", "PatientBirthDate": "", "IssuerOfPatientID": ""},
        {"PatientName": "Zeisig^Adele^M^Dr", "PatientBirthDate": ""},
        {"PatientName": "Zéisig^Adele", "PatientID": ""},
        {"PatientName": "山田^太郎", "PatientBirthDate": "", "SpecificCharacterSet": "ISO_IR 192"},
        {"IssuerOfPatientID": "h&1.2.3&ISO", "PatientBirthDate": "1956.11.27"},
        dict.fromkeys(ADELE, ""),
    ],
    ids=["same", "another spelling", "married", "less is said", "more of the name", "an accent", "another script",
         "another writing", "nothing is said"],
)  # fmt: skip
def test_what_contradicts_nothing_is_one_patient(chest_film: Path, tmp_path: Path, other: dict[str, str]) -> None:
    assert several_patients(sources(chest_film, tmp_path, ADELE, ADELE | other)) is None


def test_groups_of_ideographs_tell_patients_apart(chest_film: Path, tmp_path: Path) -> None:
    names = [f"Wang^Wei={name}^{name}" for name in ("王", "汪")]
    wang = [{"PatientID": "", "PatientName": name, "SpecificCharacterSet": "ISO_IR 192"} for name in names]

    refusal = several_patients(sources(chest_film, tmp_path, *wang))

    assert refusal is not None
    assert refusal.reason.startswith("PatientName differs")


def test_a_header_that_cannot_be_read_says_nothing(chest_film: Path, tmp_path: Path) -> None:
    films = sources(chest_film, tmp_path, ADELE, ADELE | {"PatientID": "ZX2"})
    content = films[1].path.read_bytes()
    broken = content.replace(b"\x10\0\x20\0LO", b"\x10\0\x20\0ZZ")
    assert broken != content
    films[1].path.write_bytes(broken)

    assert several_patients(films) is None
    with pytest.raises(FileNotFoundError):
        several_patients([films[0], Source("c" * 64, tmp_path / "lost.dcm")])


def test_a_header_that_inflates_without_end_takes_no_memory(chest_film: Path, tmp_path: Path) -> None:
    (film,) = sources(chest_film, tmp_path, ADELE)
    dataset = pydicom.dcmread(chest_film)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.add_new(0x00091010, "OB", bytes(100_000_000))
    dataset.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    del dataset
    tracemalloc.start()

    assert several_patients([film, Source("b" * 64, tmp_path / "bomb.dcm")]) is None

    assert tracemalloc.get_traced_memory()[1] < 90_000_000
    tracemalloc.stop()


def test_a_study_of_two_patients_is_not_read_and_says_so(chest_film: Path, tmp_path: Path) -> None:
    films = sources(chest_film, tmp_path, ADELE, ADELE | {"PatientID": "ZX2"})

    with pipeline(tmp_path, table(copied(tmp_path, "model"))) as running:
        study = running.read(films, made_at=datetime(2026, 1, 1, tzinfo=UTC), generation=1)

    assert ((), SEVERAL) == (study.readings, study.refusal.code if study.refusal else "")
    told = [pydicom.dcmread(io.BytesIO(one.content)) for one in study.objects if one.media_type == DICOM]
    assert {"ZX1"} == {one.PatientID for one in told}
