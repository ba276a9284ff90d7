"""Names that follow from what they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from structured_reports.uids import derived_uid

PARTS = st.lists(st.text(alphabet='a\0",[ü'), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_other_parts_have_another_uid(one, other) -> None:
    assert (one == other) == (derived_uid(*one) == derived_uid(*other))


@given(PARTS)
def test_a_derived_uid_is_valid(parts) -> None:
    assert UID(derived_uid(*parts)).is_valid


def test_a_uid_never_changes_over_versions() -> None:
    assert derived_uid("series", "report") == "2.25.204783561370015964362467888484692031937"
