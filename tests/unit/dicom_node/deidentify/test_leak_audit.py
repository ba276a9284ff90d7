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


def person(name: str, charset: str | list[str] = "ISO_IR 192") -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet, dataset.PatientName = charset, name
    stream = io.BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return pydicom.dcmread(stream, force=True)


JAPANESE = ["", "ISO 2022 IR 87"]


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "患者山田太郎".encode()),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田先生".encode()),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "やまだ".encode("utf-16-le")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田".encode("utf-16-be")),
        ("王^小東", "王 小東".encode()), ("王^東", "王東".encode()), ("王^東", "王 東".encode()),
        ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동".encode()),
        ("Hong^Gildong=洪^吉洞=홍^길동", "길동님".encode("utf-16-le")),
        ("Παπαδόπουλος^Νίκος", "ΠΑΠΑΔΟΠΟΥΛΟΣ".encode()), ("Люксембург^Роза", "ЛЮКСЕМБУРГ".encode()),
    ],
)  # fmt: skip
def test_a_name_in_another_script_is_found_within_other_text(name: str, planted: bytes) -> None:
    assert {"PatientName"} == {leak.path for leak in leaks(person(name), b"\0\0\0" + planted + b"\0\0")}


@pytest.mark.parametrize(
    ("name", "charset", "planted"),
    [
        ("Yamada^Tarou=山田^太郎", JAPANESE, "山田太郎".encode("iso2022_jp")),
        ("Yamada^Tarou=山田^太郎", JAPANESE, "山田".encode("iso2022_jp")),
        ("Hong^Gildong=홍^길동", ["", "ISO 2022 IR 149"], "홍길동".encode("euc_kr")),
        ("Zhang^XiaoDong=张^小东", ["", "ISO 2022 IR 58"], "张小东".encode("gb2312")),
        ("王^小東", "GB18030", "王小東".encode("gb18030")),
    ],
)  # fmt: skip
def test_a_name_is_found_in_the_character_sets_of_the_original(
    name: str, charset: str | list[str], planted: bytes
) -> None:
    assert {"PatientName"} == {leak.path for leak in leaks(person(name, charset), b"\0\0\0" + planted + b"\0\0")}


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("Müller^Jürgen", b"MUELLER"), ("Müller^Jürgen", b"Muller"), ("Weiß^Anna", b"WEISS"), ("Weiß^Anna", b"Weiss"),
        ("Sørby^Ærø", b"SORBY"), ("Sørby^Ærø", b"Soerby"), ("Łukasz^Kowal", b"LUKASZ"), ("Besançon^Renée", b"renee"),
        ("O'Brien^Al", b"OBRIEN"), ("Meyer-Lux^Eva", b"meyerlux"), ("Meier^Hans", b"HansMeier"),
        ("Meier^Hans", b"MEIERHANS"), ("Meier^Hans", b"MEIER1956"), ("Meier^Hans", b"1956_meier_2"),
        ("MUELLER^JUERGEN", "Müller".encode()), ("MUELLER^JUERGEN", "Jürgen".encode("latin-1")),
        ("JOSE^MUNOZ", "José".encode()), ("JOSE^MUNOZ", "Muñoz".encode("latin-1")),
        ("Meier^Hans", "Meier".encode("utf-16-le")), ("Müller^Jürgen", "MÜLLER".encode("utf-16-be")),
    ],
)  # fmt: skip
def test_a_name_is_found_without_its_accents_and_marks_and_joined_to_others(name: str, planted: bytes) -> None:
    assert {"PatientName"} == {leak.path for leak in leaks(person(name), b"\0 \0" + planted + b"\0\0")}


def test_a_find_in_folded_text_is_placed_near_where_it_stands() -> None:
    (leak,) = leaks(person("MUNOZ^A"), bytes(500) + "né Muñoz".encode() + bytes(300))

    assert 500 <= leak.offset <= 510


@pytest.mark.parametrize(
    "planted",
    [
        "7.3.1956", "3/7/1956", "07.03.1956", "March 7, 1956", "7 March 1956", "7 Mar 1956", "07mar1956", "7-MAR-1956",
        "March 7th 1956", "1956-3-7", "07.03.56", "3/7/56", "07031956", "03071956", "19560307101112",
    ],
)  # fmt: skip
def test_a_date_of_birth_is_found_as_people_write_it(planted: str) -> None:
    dataset = Dataset()
    dataset.PatientBirthDate = "19560307"

    assert ["PatientBirthDate"] == [leak.path for leak in leaks(dataset, b"\0born: " + planted.encode() + b".\0")]
    assert leaks(dataset, b"\0" + planted.encode("utf-16-le") + b"\0")


@pytest.mark.parametrize(
    "harmless",
    [b"07.03.56", b"07031956", b"1.7.3.1956.4", b"17.3.1956", b"March 17, 1956", b"7.3.19561", b"primary 1956"],
)
def test_another_date_is_found_only_where_nothing_else_is_meant(harmless: bytes) -> None:
    dataset = Dataset()
    dataset.StudyDate = "19560307"

    assert not leaks(dataset, b"\0" + harmless + b"\0")


@pytest.mark.parametrize(
    ("keyword", "value", "planted"),
    [
        ("PatientTelephoneNumbers", "+49 (171) 555-1234", b"0171 5551234"),
        ("PatientTelephoneNumbers", "+49 (171) 555-1234", b"0171/555 12 34"),
        ("PatientTelephoneNumbers", "+49 (171) 555-1234", b"01715551234"),
        ("PatientID", "123456789", b"123-45-6789"), ("PatientID", "123-45-6789", b"123 456 789"),
        ("PatientID", "12345678", b"PID12345678"), ("PatientID", "12345678", b"0012345678"),
        ("PatientID", "0012345678", b"12345678"), ("StudyID", "ST4711", b"st4711"),
        ("RequestedProcedureID", "RP-1", b"RP-1"), ("ContainerIdentifier", "S24-1", b"S24-1"),
        ("SpecimenIdentifier", "S24-1-A", b"S24-1-A"),
        ("FillerOrderNumberImagingServiceRequest", "F-77", b"F-77"),
        ("PlacerOrderNumberImagingServiceRequest", "P-77", b"P-77"),
    ],
)  # fmt: skip
def test_a_number_is_found_with_other_separators_and_prefixes(keyword: str, value: str, planted: bytes) -> None:
    dataset = Dataset()
    setattr(dataset, keyword, value)

    assert [keyword] == [leak.path for leak in leaks(dataset, b"\0tel " + planted + b"\0")]


@pytest.mark.parametrize(
    "harmless", [b"112345678", b"123456781", b"1.2.840.1234.5678.10008.33", b"1234\\5678", b"0000000"]
)
def test_digits_of_something_else_are_no_identifier(harmless: bytes) -> None:
    dataset = Dataset()
    dataset.PatientID, dataset.StudyID, dataset.AccessionNumber = "12345678", "124", "0000000000"

    assert not leaks(dataset, b"\0" + harmless + b"\0")


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
