"""Pseudonyms are stable, told apart by value, kind and key, and valid where they stand."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicom_node.deidentify.pseudonyms import LONGEST_SHIFT, Pseudonyms

KEY = bytes(range(32))
PSEUDONYMS = Pseudonyms(KEY)


@given(st.text(), st.text())
def test_two_values_have_one_pseudonym_only_if_they_are_one(first: str, second: str) -> None:
    assert (PSEUDONYMS.uid(first) == PSEUDONYMS.uid(second)) == (first == second)
    assert (PSEUDONYMS.person(first) == PSEUDONYMS.person(second)) == (first == second)


@given(st.text())
def test_a_pseudonym_is_valid_where_it_stands(value: str) -> None:
    uid, person = PSEUDONYMS.uid(value), PSEUDONYMS.person(value)

    assert UID(uid).is_valid
    assert len(uid) <= 44
    assert person.isascii()
    assert person.isalnum()
    assert len(person) == 17
    assert timedelta(days=-LONGEST_SHIFT) <= PSEUDONYMS.shift(value) <= timedelta(days=-1)


@given(st.text())
def test_kinds_and_keys_have_nothing_in_common(value: str) -> None:
    other = Pseudonyms(bytes(32))

    assert PSEUDONYMS.code("a", value, 16) != PSEUDONYMS.code("b", value, 16)
    assert PSEUDONYMS.person(value) != other.person(value)
    assert PSEUDONYMS.uid(value) != other.uid(value)


def test_another_process_gives_the_same() -> None:
    program = (
        "from dicom_node.deidentify.pseudonyms import Pseudonyms as P; p = P(bytes(range(32)));"
        "print(p.uid('1.2.3'), p.person('4711'), p.shift('4711').days)"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert said == [PSEUDONYMS.uid("1.2.3"), PSEUDONYMS.person("4711"), str(PSEUDONYMS.shift("4711").days)]


def test_a_short_key_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Pseudonyms(b"short")
    assert str(KEY) not in repr(PSEUDONYMS)
