from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, keyword_for_tag

from dicom_node.deidentify.projection import ASKABLE, DESCRIPTION, PIXELS, projection

SEEN = {*DESCRIPTION, *PIXELS}


def test_nothing_but_the_allow_list_is_seen(chest_film: Path) -> None:
    seen = projection(pydicom.dcmread(chest_film))

    assert {keyword_for_tag(element.tag) for element in seen} <= SEEN


@given(st.lists(st.sampled_from(sorted(DicomDictionary)), max_size=30))
def test_no_other_attribute_of_the_dictionary_passes(tags: list[int]) -> None:
    dataset = pydicom.Dataset()
    for tag in tags:
        vr = DicomDictionary[tag][0]
        if vr in {"PN", "LO", "SH", "DA", "UI", "LT", "ST", "CS"}:
            dataset.add_new(tag, vr, "1")

    assert {keyword_for_tag(element.tag) for element in projection(dataset)} <= SEEN


def test_an_attribute_that_a_card_asks_for_is_seen() -> None:
    dataset = pydicom.Dataset()
    dataset.PatientSex = "F"

    assert "F" == projection(dataset, ["PatientSex"]).PatientSex


def test_an_attribute_that_nobody_asks_for_is_not_seen() -> None:
    dataset = pydicom.Dataset()
    dataset.PatientSex = "F"

    assert "PatientSex" not in projection(dataset)


def test_a_card_cannot_ask_for_a_name() -> None:
    with pytest.raises(ValueError, match="PatientName: a model may ask for PatientSex, PatientAge only"):
        projection(pydicom.Dataset(), ["PatientName"])


def test_what_a_card_may_ask_for_is_no_identifier() -> None:
    assert ("PatientSex", "PatientAge") == ASKABLE
