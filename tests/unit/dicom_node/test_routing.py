from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from dicom_node.routing import described, facts_of, matches
from tests.conftest import as_study, cut_in_sequence


@pytest.fixture
def film(chest_film: Path, tmp_path: Path) -> Path:
    return as_study(chest_film, tmp_path / "film.dcm", 1, StudyDescription="CHEST 2 VIEWS", StationName="ED-4")


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ({}, True),
        ({"Modality": ("CT", "CR")}, True),
        ({"Modality": ("CT",)}, False),
        ({"StudyDescription": ("*chest*",)}, True),
        ({"StudyDescription": ("chest",)}, False),
        ({"StationName": ("ED-?",), "Modality": ("CR",)}, True),
        ({"StationName": ("ED-?",), "Modality": ("DX",)}, False),
        ({"SeriesDescription": ("*",), "ProtocolName": ("*",)}, False),
        ({"calling": ("CT_*",)}, False),
        ({"calling": ("MOD*",), "called": ("AINODE",)}, True),
    ],
)
def test_an_instance_is_meant_if_every_keyword_of_the_rule_matches(film: Path, rule, meant: bool) -> None:
    assert meant == matches(rule, facts_of(film, "MODALITY", "AINODE"))


def test_one_of_several_values_is_enough(chest_film: Path, tmp_path: Path) -> None:
    film = as_study(chest_film, tmp_path / "film.dcm", 1, ImageType=["DERIVED", "PRIMARY"])

    assert matches({"ImageType": ("primary",)}, facts_of(film, "", ""))


def test_an_association_that_is_not_known_speaks_against_no_rule(film: Path) -> None:
    assert matches({"called": ("AI_CHEST",), "calling": ("CR1",)}, facts_of(film, "", ""))


def test_a_broken_file_matches_what_asks_for_nothing_that_it_says(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"no data set")
    facts = facts_of(broken, "CR1", "AINODE")

    assert not matches({"Modality": ("*",)}, facts)
    assert matches({"calling": ("CR1",)}, facts)


def test_a_file_that_ends_within_a_sequence_says_nothing(ct_slice: Path, tmp_path: Path) -> None:
    broken = cut_in_sequence(ct_slice, tmp_path / "broken.dcm")

    assert {"calling": ("CR1",)} == facts_of(broken, "CR1", "")


def test_a_refusal_quotes_neither_free_text_nor_the_patient(film: Path) -> None:
    words = described(facts_of(film, "MODALITY", "AINODE"))

    assert words.startswith("Modality CR")
    assert "called AE title AINODE" in words
    dataset = pydicom.dcmread(film, stop_before_pixels=True)
    assert not [one for one in ("CHEST 2 VIEWS", "ED-4", str(dataset.PatientName)) if one in words]


def test_a_refusal_quotes_no_body_part_that_is_none(chest_film: Path, tmp_path: Path) -> None:
    film = as_study(chest_film, tmp_path / "film.dcm", 1, BodyPartExamined="DOE JOHN HIP")

    words = described(facts_of(film, "MODALITY", "AINODE"))

    assert "BodyPartExamined none of the known terms" in words
    assert "DOE" not in words
