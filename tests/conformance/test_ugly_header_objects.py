"""What is made of ugly headers holds no error, by the checker of others; what cannot be made is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from films import request_for
from pydicom.dataset import Dataset

from structured_reports.build import build_results
from structured_reports.errors import UnusableHeaderError
from tests.ugly_headers import CANARY, PLAIN, RIGHT, UGLY, WRONG, encoded, header_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

UNDECLARED = (b"", b"ISO_IR 6")
"""Without a character set the bytes of the source are passed on, whatever they are: no receiver reads another name."""


def with_value(keyword: str, value: bytes | None) -> Dataset:
    kept = {name: plain for name, plain in PLAIN.items() if name != keyword}
    return header_of(encoded(kept if value is None else {**kept, keyword: value}))


def errors_in(source: Dataset, run_tool: Callable, folder: Path) -> list[str]:
    """Return what dciodvfy calls an error in summary and report; a header that is refused has neither."""
    try:
        results = build_results(request_for(source, "positive"), ("summary", "report"))
    except UnusableHeaderError as error:
        assert CANARY.decode() not in str(error)
        return []
    found = []
    for one in results:
        file = folder / f"{one.kind}.dcm"
        file.write_bytes(one.content)
        done = run_tool("dciodvfy", "-new", file)
        found += [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    return found


@pytest.mark.parametrize("keyword", UGLY)
def test_no_value_of_an_attribute_makes_an_object_with_an_error(keyword, run_tool, tmp_path) -> None:
    found = {value: errors_in(with_value(keyword, value), run_tool, tmp_path) for value in UGLY[keyword]}

    assert not {value: errors for value, errors in found.items() if errors}


@pytest.mark.parametrize(("charset", "name"), [*RIGHT, *(one for one in WRONG if one[0] not in UNDECLARED)])
def test_no_character_set_makes_an_object_with_an_error(charset, name, run_tool, tmp_path) -> None:
    source = header_of(encoded({**PLAIN, "SpecificCharacterSet": charset, "PatientName": name}))

    assert [] == errors_in(source, run_tool, tmp_path)


@pytest.mark.parametrize(
    ("keyword", "value", "rule"),
    [
        ("PatientID", CANARY + b"x" * 59, "PatientID is longer than 64 characters"),
        ("PatientID", b"A\\B", "PatientID has several values"),
        ("PatientName", b"a^b^c^d^e^f", "PatientName has more than 5 components"),
        ("PatientName", b"A\\B", "PatientName has several values"),
        ("AccessionNumber", b"1" * 17, "AccessionNumber is longer than 16 characters"),
        ("StudyInstanceUID", b"1.2." + b"8" * 70, "StudyInstanceUID is not one UID"),
        ("SOPInstanceUID", b"2.25.5\\2.25.6", "SOPInstanceUID is not one UID"),
    ],
)
def test_what_names_patient_or_study_is_never_shortened(keyword, value, rule) -> None:
    with pytest.raises(UnusableHeaderError, match=rule):
        build_results(request_for(with_value(keyword, value), "refused"), ("report",))


@pytest.mark.parametrize(("charset", "name"), [one for one in WRONG if one[0] in (b"ISO_IR 192", b"ISO_IR 999")])
def test_a_name_that_its_character_set_cannot_give_is_refused(charset, name) -> None:
    source = header_of(encoded({**PLAIN, "SpecificCharacterSet": charset, "PatientName": name}))

    with pytest.raises(UnusableHeaderError, match="SpecificCharacterSet"):
        build_results(request_for(source, "refused"), ("report",))


def test_a_character_set_that_is_none_costs_no_result_where_nothing_needs_it() -> None:
    source = header_of(encoded({**PLAIN, "SpecificCharacterSet": b"latin1"}))

    assert build_results(request_for(source, "refused"), ("report",))
