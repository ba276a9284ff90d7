"""What a probe keeps of a destination, and what is told of it."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.deliver.probe import NOT_ACCEPTED, REFUSED, TAKEN, WARNED, Capabilities, Tried
from dicom_node.ledger import probes
from dicom_node.ledger.database import writing
from dicom_node.probe import as_row
from dicom_node.quirks import quirks, refused_by

AT = datetime(2026, 1, 2, 12).timestamp()
BOTH = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
REFUSED_FORM = Tried("report", "enhanced", REFUSED, "pacs: report: C-STORE 0xC000, cannot understand")
COERCED = Tried("summary", "", WARNED, "C-STORE 0xB000, coercion", "coercion of data elements (PS3.4 B.2.3)")


def found(*tried: Tried, takes: tuple[str, ...] = BOTH) -> Capabilities:
    return Capabilities("PEER", 0, {"1.2": takes, "1.3": ()}, {}, tried)


def test_a_form_that_was_refused_at_the_test_is_known_with_its_day() -> None:
    row = as_row(found(REFUSED_FORM, COERCED), AT, None)

    known = {
        ("report", "enhanced"): "refused at the test of 2026-01-02: pacs: report: C-STORE 0xC000, cannot understand"
    }
    assert known == refused_by(row)


def test_what_is_not_negotiated_is_not_known_from_a_test_because_each_delivery_negotiates() -> None:
    assert {} == refused_by(as_row(found(Tried("report", "enhanced", NOT_ACCEPTED, "no")), AT, None))


def test_a_probe_without_test_keeps_what_the_last_test_showed() -> None:
    tested = as_row(found(REFUSED_FORM), AT, None)

    assert refused_by(tested) == refused_by(as_row(found(), AT + 86400, tested))


def test_a_new_test_replaces_the_last_one() -> None:
    tested = as_row(found(REFUSED_FORM), AT, None)

    assert {} == refused_by(as_row(found(Tried("report", "enhanced", TAKEN, "C-STORE 0x0000")), AT, tested))


@pytest.mark.parametrize("row", [None, {"takes": {}, "sends": {}}, {"takes": {}, "said": [["report", "", "no"]]}])
def test_nothing_is_known_of_what_was_never_tested(row) -> None:
    assert {} == refused_by(row)


def test_refusals_and_warnings_are_told_with_the_day_of_the_test() -> None:
    told = list(quirks(as_row(found(REFUSED_FORM, COERCED), AT, None)))

    assert [
        "report (enhanced): negotiated and then refused at the test of 2026-01-02: "
        "pacs: report: C-STORE 0xC000, cannot understand",
        "summary, test of 2026-01-02: coercion of data elements (PS3.4 B.2.3)",
    ] == told


def test_a_peer_of_one_transfer_syntax_is_told() -> None:
    assert ["takes Implicit VR Little Endian only"] == list(quirks(as_row(found(takes=BOTH[1:]), AT, None)))


def test_a_peer_without_oddities_is_told_without_a_word() -> None:
    assert [] == list(quirks(as_row(found(Tried("summary", "", TAKEN, "C-STORE 0x0000")), AT, None)))


def test_the_finding_of_one_destination_is_read_back(database: sa.Engine) -> None:
    with writing(database) as connection:
        probes.keep(connection, "pacs", 1.0, {"takes": {}})
        rows = [probes.of(connection, name) for name in ("pacs", "other")]

    assert [{"takes": {}}, None] == rows
