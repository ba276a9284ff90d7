"""What each destination refuses to be made of."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.deliver import DESTINATIONS
from structured_reports.port import DICOM, FHIR_JSON, ResultObject

PACS: dict[str, Any] = {"name": "pacs", "host": "pacs", "port": 104, "called_ae": "PACS", "calling_ae": "AI"}
EHR: dict[str, Any] = {"name": "ehr", "base_url": "https://ehr/fhir"}
FOLDER: dict[str, Any] = {"name": "results", "directory": "results"}


@pytest.mark.parametrize(
    ("kind", "table", "field"),
    [
        ("c-store", PACS | {"port": 0}, "port"),
        ("c-store", PACS | {"port": 65536}, "port"),
        ("c-store", PACS | {"host": ""}, "host"),
        ("c-store", PACS | {"host": "http://pacs"}, "host"),
        ("c-store", PACS | {"host": "a..b"}, "host"),
        ("c-store", PACS | {"host": "a" * 64}, "host"),
        ("c-store", PACS | {"called_ae": "A" * 17}, "called_ae"),
        ("c-store", PACS | {"called_ae": "  "}, "called_ae"),
        ("c-store", PACS | {"calling_ae": "A\\B"}, "calling_ae"),
        ("c-store", PACS | {"timeout_s": 0}, "timeout_s"),
        ("c-store", PACS | {"timeout_s": float("nan")}, "timeout_s"),
        ("c-store", PACS | {"kinds": ["../x"]}, "kinds"),
        ("c-store", PACS | {"called_aet": "PACS"}, "called_aet"),
        ("fhir", EHR | {"base_url": "ehr/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "ftp://ehr/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://ehr/fhir?x=1"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://ehr:port/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://ehr:99999/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://ehr:0/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://the ehr/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://e..hr/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "https://\u2028.ehr/fhir"}, "base_url"),
        ("fhir", EHR | {"base_url": "http://ehr/fhir", "token_file": "token"}, "token_file"),
        ("fhir", EHR | {"token": "secret"}, "token"),
        ("folder", FOLDER | {"name": ""}, "name"),
        ("folder", {"name": "results"}, "directory"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(kind: str, table: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        DESTINATIONS[kind](**table)


def test_every_fault_of_a_table_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"(?s)port.*called_ae"):
        DESTINATIONS["c-store"](**PACS | {"port": 0, "called_ae": ""})


def test_a_password_in_an_address_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="a secret is a file") as caught:
        DESTINATIONS["fhir"](**EHR | {"base_url": "https://user:hunter2@ehr/fhir"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("kind", "table"), [("c-store", PACS), ("fhir", EHR), ("folder", FOLDER)])
def test_a_destination_cannot_be_changed_after_its_birth(kind: str, table: dict[str, Any]) -> None:
    with pytest.raises(AttributeError):
        DESTINATIONS[kind](**table).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "table", "taken"),
    [
        ("c-store", PACS, ["summary", "report"]),
        ("c-store", PACS | {"kinds": ["report"]}, ["report"]),
        ("fhir", EHR, ["fhir"]),
        ("folder", FOLDER, ["summary", "report", "fhir"]),
        ("folder", FOLDER | {"kinds": ["fhir"]}, ["fhir"]),
    ],
)
def test_a_destination_takes_its_media_types_and_kinds(kind: str, table: dict[str, Any], taken: list[str]) -> None:
    offered = [("summary", DICOM), ("report", DICOM), ("fhir", FHIR_JSON)]
    results = [ResultObject(name, "uid", media_type, b"") for name, media_type in offered]

    assert [result.kind for result in results if DESTINATIONS[kind](**table).takes(result)] == taken
