"""A study with images of several patients gives a result to none of them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

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
        dict.fromkeys(ADELE, ""),
    ],
    ids=["same", "another spelling", "married", "less is said", "nothing is said"],
)
def test_what_contradicts_nothing_is_one_patient(chest_film: Path, tmp_path: Path, other: dict[str, str]) -> None:
    assert several_patients(sources(chest_film, tmp_path, ADELE, ADELE | other)) is None


def test_a_study_of_two_patients_is_not_read_and_says_so(chest_film: Path, tmp_path: Path) -> None:
    films = sources(chest_film, tmp_path, ADELE, ADELE | {"PatientID": "ZX2"})

    with pipeline(tmp_path, table(copied(tmp_path, "model"))) as running:
        study = running.read(films, made_at=datetime(2026, 1, 1, tzinfo=UTC), generation=1)

    assert ((), SEVERAL) == (study.readings, study.refusal.code if study.refusal else "")
    told = [pydicom.dcmread(io.BytesIO(one.content)) for one in study.objects if one.media_type == DICOM]
    assert {"ZX1"} == {one.PatientID for one in told}
