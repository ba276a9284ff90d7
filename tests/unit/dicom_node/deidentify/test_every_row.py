"""Every row of PS3.15 Table E.1-1, wherever it stands: nothing of its value is left, and its code was obeyed."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset

from dicom_node.deidentify.engine import deidentify
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.table import load_table
from tests.canaries import CONTEXTS, outcomes, planted, tag_of, top

PSEUDONYMS = Pseudonyms(bytes(range(32)))


def basic(dataset: Dataset) -> Dataset:
    return deidentify(dataset, Profile("basic"), PSEUDONYMS).dataset


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_row_leaks_and_its_code_is_obeyed(context: str) -> None:
    rows = load_table().rows
    counted = outcomes(rows, context, basic)

    assert counted["leak"] == 0, counted
    assert counted["ok"] >= 0.995 * len(rows), counted


@pytest.mark.parametrize("option", [option for option in Option if option != Option.RETAIN_SAFE_PRIVATE])
def test_an_option_keeps_what_its_column_keeps(option: Option) -> None:
    # But binary values, which nobody can look into, and what stands outside data sets.
    rows = [row for row in load_table().rows if row.options.get(option) == "K" and dictionary_has_tag(tag_of(row))]
    lost = []
    for row in rows:
        element = planted(row)
        result = deidentify(top(element), Profile("one", frozenset({option})), PSEUDONYMS).dataset
        kept = result.get(element.tag)
        same = kept is not None and (kept.VR == "SQ" or kept.value == element.value)
        if not same and element.VR not in {"OB", "UN"} and element.tag.group > 0x0007:
            lost.append(f"{row.tag} {row.keyword}")

    assert not lost
