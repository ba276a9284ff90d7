"""Any header of a hospital is usable, and says no less than before."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from structured_reports.envelope import REPORT, envelope, series_uid
from structured_reports.errors import UnusableHeaderError
from structured_reports.header import read_header
from structured_reports.provenance import MARKER_MANUFACTURER, MARKER_MODEL_NAME, is_own

# pydicom warns of the invalid values that these tests are about
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")


@pytest.mark.parametrize(
    ("keyword", "sent", "written"),
    [
        ("PatientSex", "U", ""),
        ("PatientSex", "F", "F"),
        ("PatientBirthDate", "1960.01.31", "19600131"),
        ("PatientBirthDate", "00000000", ""),
        ("StudyTime", "12:30:00", "123000"),
        ("ReferringPhysicianName", "ward", "ward^"),
        ("ReferringPhysicianName", "Doe^Jane", "Doe^Jane"),
        ("PatientName", "onlyname", "onlyname"),
    ],
)
def test_a_value_is_written_in_its_valid_form(keyword, sent, written, header) -> None:
    setattr(header, keyword, sent)

    assert written == str(read_header(header).identity(None)[keyword].value)


def test_a_missing_type_2_attribute_is_written_empty(header) -> None:
    assert read_header(header).identity(None).AccessionNumber == ""


def test_an_age_that_is_no_age_is_left_out(header) -> None:
    header.PatientAge = "58"

    assert "PatientAge" not in read_header(header).identity(None)


def test_the_source_is_left_as_it_is(header) -> None:
    header.PatientSex = "U"

    read_header(header).identity(None)

    assert header.PatientSex == "U"


def test_a_sop_class_that_is_no_uid_is_refused(header) -> None:
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6."

    with pytest.raises(UnusableHeaderError, match="SOPClassUID"):
        read_header(header)


def test_times_are_on_the_clock_of_the_study_where_it_says_which(header, score_of, request_of) -> None:
    header.TimezoneOffsetFromUTC = "+0530"

    made = envelope(request_of(score_of(0.9)), read_header(header), REPORT)

    assert (made.TimezoneOffsetFromUTC, made.ContentTime[:6]) == ("+0530", "083405")


def test_an_offset_that_is_none_is_ignored(header, score_of, request_of) -> None:
    header.TimezoneOffsetFromUTC = "+9900"

    made = envelope(request_of(score_of(0.9)), read_header(header), REPORT)

    assert "TimezoneOffsetFromUTC" not in made


def test_a_later_generation_has_another_series(score_of, request_of) -> None:
    assert series_uid(request_of(score_of(0.9)), "report") != series_uid(
        request_of(score_of(0.9), generation=2), "report"
    )


def test_an_instance_is_own_by_its_contributing_equipment_alone() -> None:
    item = Dataset()
    item.Manufacturer, item.ManufacturerModelName = MARKER_MANUFACTURER, MARKER_MODEL_NAME
    result = Dataset()
    result.ContributingEquipmentSequence = [Dataset(), item]

    assert is_own(result)


def test_a_series_number_like_ours_makes_no_own_instance() -> None:
    other = Dataset()
    other.SeriesNumber, other.SeriesDescription, other.Manufacturer = (
        9001,
        "AI summary pneumonia",
        MARKER_MANUFACTURER,
    )

    assert not is_own(other)
