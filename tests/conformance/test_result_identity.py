"""Patient, study and character set of the source, for the character sets of the world."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from films import written_and_read
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from structured_reports import part10
from structured_reports.build import build_results
from structured_reports.errors import IdentityMismatchError, UnusableHeaderError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FILES = (
    "chrArab", "chrFren", "chrFrenMulti", "chrGB2312", "chrGreek", "chrH31", "chrH32", "chrI2",
    "chrKoreanMulti", "chrRuss", "chrSQEncoding", "chrX2",
)  # fmt: skip
IDENTITY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDescription",
    "ReferringPhysicianName",
)  # fmt: skip
CHECKED = ("PatientName", "PatientID", "AccessionNumber", "StudyDescription")
SWITCHED = ("chrGB2312", "chrH31", "chrH32", "chrI2", "chrKoreanMulti")
"""Those that switch between character sets by escape sequences (PS3.5 6.1.2.5)."""
PLAIN = tuple(name for name in FILES if name not in SWITCHED)
GB_2312 = "\x1b$)A"
"""Switches to Chinese; pydicom leaves it in what it decodes."""


@pytest.fixture(scope="session")
def grafted(data_dir: Path, header_of: Callable[[str], Dataset]) -> Callable[[str], Dataset]:
    """Return a function that gives a film with the identity of a file of another character set."""

    def graft(name: str) -> Dataset:
        person = pydicom.dcmread(data_dir / "dicom" / "charset" / f"{name}.dcm", stop_before_pixels=True)
        film = header_of("dx")
        for keyword in (*IDENTITY, "SpecificCharacterSet"):
            if keyword in film:
                del film[keyword]
            if keyword in person:
                film[keyword] = person.get_item(keyword)
        # Bytes stay bytes only if the film says that they were written like this
        film.set_original_encoding(False, True, convert_encodings(person.SpecificCharacterSet))
        return written_and_read(film)

    return graft


@pytest.mark.parametrize("outcome", ["positive", "refused"])
@pytest.mark.parametrize("name", FILES)
def test_identity_arrives_unchanged(name, outcome, grafted, request_of) -> None:
    source = grafted(name)
    expected = [str(source.get(keyword) or "").replace(GB_2312, "") for keyword in CHECKED]

    results = build_results(request_of(grafted(name), outcome), ("summary", "heatmap", "report"))

    found = [pydicom.dcmread(io.BytesIO(r.content), stop_before_pixels=True) for r in results]
    assert results
    assert [expected] * len(results) == [[str(ds.get(keyword) or "") for keyword in CHECKED] for ds in found]


@pytest.mark.parametrize("name", FILES)
def test_only_a_source_that_switches_between_character_sets_is_written_in_utf_8(name, grafted, request_of) -> None:
    source = grafted(name)

    (result,) = build_results(request_of(source, "positive"), ("report",))

    report = pydicom.dcmread(io.BytesIO(result.content))
    assert ("ISO_IR 192" if name in SWITCHED else source.SpecificCharacterSet) == report.SpecificCharacterSet


@pytest.mark.peer
@pytest.mark.parametrize("name", ["chrGB2312", "chrI2", "chrKoreanMulti"])
def test_the_name_is_what_dcmtk_makes_of_it(name, data_dir, grafted, request_of, run_tool, tmp_path) -> None:
    run_tool("dcmconv", "+U8", data_dir / "dicom" / "charset" / f"{name}.dcm", tmp_path / "told.dcm")

    (result,) = build_results(request_of(grafted(name), "positive"), ("report",))

    told = pydicom.dcmread(tmp_path / "told.dcm", stop_before_pixels=True)
    report = pydicom.dcmread(io.BytesIO(result.content))
    assert str(told.PatientName) == str(report.PatientName)


@pytest.mark.parametrize("name", PLAIN)
def test_the_name_arrives_in_the_same_bytes(name, grafted, request_of) -> None:
    sent = grafted(name).get_item("PatientName")

    (result,) = build_results(request_of(grafted(name), "positive"), ("report",))

    arrived = pydicom.dcmread(io.BytesIO(result.content)).get_item("PatientName")
    assert ((sent and sent.value) or b"") == (arrived.value or b"")


def test_words_of_our_own_beyond_ascii_turn_the_object_to_utf_8_with_the_same_name(grafted, request_of) -> None:
    request = replace(request_of(grafted("chrH31"), "negative"), notice="AI-Ergebnis für Ärzte")

    (result,) = build_results(request, ("report",))

    report = pydicom.dcmread(io.BytesIO(result.content))
    assert ("ISO_IR 192", str(grafted("chrH31").PatientName)) == (
        report.SpecificCharacterSet,
        str(report.PatientName),
    )


def test_an_object_that_decodes_to_another_name_is_not_made(monkeypatch, request_of) -> None:
    honest = part10._written

    def careless(dataset: Dataset, is_wanted: Callable[[BaseTag], bool]) -> bytes:
        dataset.PatientName = "Somebody^Else"
        return honest(dataset, is_wanted)

    monkeypatch.setattr(part10, "_written", careless)

    with pytest.raises(IdentityMismatchError, match="PatientName"):
        build_results(request_of("dx", "positive"), ("summary",))


def test_the_message_of_a_mismatch_names_no_patient(monkeypatch, request_of) -> None:
    honest = part10._written
    monkeypatch.setattr(part10, "_written", lambda ds, is_wanted: honest(_renamed(ds), is_wanted))

    with pytest.raises(IdentityMismatchError) as caught:
        build_results(request_of("dx", "positive"), ("summary",))

    assert "Somebody" not in str(caught.value)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_a_header_without_a_uid_is_refused_by_name(keyword, header_of, request_of) -> None:
    header = header_of("dx")
    del header[keyword]

    with pytest.raises(UnusableHeaderError, match=keyword):
        build_results(request_of(header, "refused"), ("summary",))


@pytest.mark.parametrize("outcome", ["positive", "refused"])
def test_every_chest_film_of_the_collection_gives_results(outcome, data_dir, request_of) -> None:
    films = sorted((data_dir / "dicom" / "cxr").glob("*.dcm"))

    made = [
        build_results(request_of(pydicom.dcmread(film, stop_before_pixels=True), outcome), ("summary", "report"))
        for film in films
    ]

    assert [2] * len(films) == [len(results) for results in made]


def _renamed(dataset: Dataset) -> Dataset:
    dataset.PatientName = "Somebody^Else"
    return dataset
