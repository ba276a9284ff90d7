"""Table E.1-1 as data, and what a profile makes of its rows."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage

from dicom_node.deidentify.profile import BASIC, METHODS, Option, Profile
from dicom_node.deidentify.table import Row, load_table, load_types

NOWHERE = "1.2.3"


def row(keyword: str) -> Row:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    found = load_table().row(tag)
    assert found is not None, keyword
    return found


def action(keyword: str, *options: Option) -> str:
    return Profile("test", frozenset(options)).action(row(keyword))[0]


def test_the_digest_in_the_table_is_that_of_its_rows() -> None:
    content = json.loads((files("dicom_node.deidentify") / "ps315_e11.json").read_text(encoding="utf-8"))
    body = json.dumps([content["rows"], content["safe_private"]], sort_keys=True)

    assert content["sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert "2026c" == content["edition"]


def test_every_row_has_a_code_of_the_standard() -> None:
    known = {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}

    assert {one.action for one in load_table().rows} == known
    assert {code for one in load_table().rows for code in one.options.values()} == {"K", "C"}
    assert 655 == len(load_table().rows)


def test_every_option_column_names_an_option() -> None:
    named = {option for one in load_table().rows for option in one.options}

    # These two have no column: the first is about private attributes, the second about pixels.
    assert set(Option) - named == {Option.RETAIN_SAFE_PRIVATE, Option.CLEAN_PIXEL_DATA}
    assert named <= set(Option)


@pytest.mark.parametrize(
    ("keyword", "basic", "option", "code"),
    [
        ("PatientID", "Z/D", None, None),
        ("PatientName", "Z", None, None),
        ("StudyInstanceUID", "U", Option.RETAIN_UIDS, "K"),
        ("DeviceSerialNumber", "X/Z/D", Option.RETAIN_DEVICE_IDENTITY, "K"),
        ("InstitutionName", "X/Z/D", Option.RETAIN_INSTITUTION_IDENTITY, "K"),
        ("PatientAge", "X", Option.RETAIN_PATIENT_CHARACTERISTICS, "K"),
        ("Allergies", "X", Option.RETAIN_PATIENT_CHARACTERISTICS, "C"),
        ("StudyDate", "Z", Option.RETAIN_FULL_DATES, "K"),
        ("StudyDate", "Z", Option.RETAIN_MODIFIED_DATES, "C"),
        ("StudyDescription", "X", Option.CLEAN_DESCRIPTORS, "C"),
        ("ContentSequence", "D", Option.CLEAN_STRUCTURED_CONTENT, "C"),
        ("GraphicAnnotationSequence", "D", Option.CLEAN_GRAPHICS, "C"),
    ],
)
def test_rows_are_as_the_standard_prints_them(keyword: str, basic: str, option: Option | None, code: str) -> None:
    assert basic == action(keyword)
    if option is not None:
        assert code == action(keyword, option)


def test_patient_name_and_birth_date_are_retained_by_no_option() -> None:
    everything = frozenset(Option) - {Option.RETAIN_FULL_DATES}

    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDsSequence"):
        assert (row(keyword).action, None) == Profile("all", everything).action(row(keyword))


def test_modified_dates_move_a_date_of_the_device_too() -> None:
    assert "K" == action("DateOfLastCalibration", Option.RETAIN_DEVICE_IDENTITY)
    assert "C" == action("DateOfLastCalibration", Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_MODIFIED_DATES)


def test_curves_and_overlay_data_have_rows_in_every_repeating_group() -> None:
    table = load_table()

    for tag in (0x50000010, 0x50FE3000, 0x60003000, 0x601E3000, 0x60024000):
        assert (found := table.row(tag)) is not None and "X" == found.action
    assert table.row(0x60000010) is None
    assert table.row(0x00280010) is None


def test_a_safe_private_attribute_is_found_in_any_block_of_its_creator() -> None:
    table = load_table()
    assert table.is_safe_private("ELSCINT1", 0x00E11021)
    assert table.is_safe_private("ELSCINT1", 0x00E1AB21)
    assert not table.is_safe_private("SOMEONE ELSE", 0x00E11021)
    assert not table.is_safe_private("ELSCINT1", 0x00E11022)


def test_a_compound_action_is_the_weakest_that_keeps_the_object_valid() -> None:
    resolve = load_types().resolve

    assert "Z" == resolve("Z/D", "PatientID", CTImageStorage)  # type 2 (PS3.3 C.7.1.1)
    assert "D" == resolve("X/Z/D", "InstitutionName", NOWHERE)
    assert "X" == resolve("X/Z/D", "InstitutionName", CTImageStorage)  # type 3 (PS3.3 C.7.5.1)
    assert "U*" == resolve("X/Z/U*", "ReferencedImageSequence", CTImageStorage)
    assert "D" == resolve("X/D", "DeviceSerialNumber", CTImageStorage, "NoSuchSequence")


def test_every_resolved_action_is_one_that_the_row_permits() -> None:
    types = load_types()
    for one in load_table().rows:
        for uid in (*types.sop_classes, NOWHERE):
            assert types.resolve(one.action, one.keyword, uid) in one.action.split("/")


def test_full_and_modified_dates_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"research: .*exclude each other \(PS3\.15"):
        Profile("research", frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}))


def test_every_option_has_its_code_of_cid_7050() -> None:
    known = {code.value: code.meaning for code in (getattr(codes.cid7050, name) for name in codes.cid7050.dir())}

    assert set(METHODS) == set(Option)
    for value, meaning in (BASIC, *METHODS.values()):
        assert meaning == known[value]
