from __future__ import annotations

from pathlib import Path

import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, keyword_for_tag

from dicom_node.deidentify.projection import DESCRIPTION, PIXELS, projection

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


def test_neither_sex_nor_age_is_seen() -> None:
    dataset = pydicom.Dataset()
    dataset.PatientSex, dataset.PatientAge = "F", "045Y"

    assert not projection(dataset)
