"""Every row of PS3.15 Table E.1-1, wherever it stands: nothing of its value is left, and its code was obeyed."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.deidentify.engine import deidentify
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.table import Row, load_table
from tests.canaries import CONTEXTS, encoded, found, outcomes, planted, tag_of, within, written

PSEUDONYMS = Pseudonyms(bytes(range(32)))


def basic(dataset: Dataset) -> Dataset:
    return deidentify(dataset, Profile("basic"), PSEUDONYMS).dataset


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_row_leaks_and_its_code_is_obeyed(context: str) -> None:
    rows = load_table().rows
    counted = outcomes(rows, context, basic)

    assert counted["leak"] == 0, counted
    assert counted["ok"] >= 0.995 * len(rows), counted


OPTIONS = [option for option in Option if option != Option.RETAIN_SAFE_PRIVATE]
# A private sequence is never retained.
OPEN = [context for context in CONTEXTS if context != "a private sequence"]


def rows_of(option: Option, code: str) -> list[Row]:
    rows = load_table().rows
    return [row for row in rows if row.options.get(option) == code and dictionary_has_tag(tag_of(row))]


def under(option: Option, row: Row, context: str) -> tuple[DataElement | None, bytes]:
    """Return what becomes of a row's value under one option, and all that is written."""
    path, make = CONTEXTS[context]
    source = (make or within(*path))(planted(row))
    result = deidentify(source, Profile("one", frozenset({option})), PSEUDONYMS).dataset
    return found(result, path, tag_of(row)), written(result)


@pytest.mark.parametrize("context", OPEN)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_keeps_what_its_column_keeps(option: Option, context: str) -> None:
    # But binary values, which nobody can look into, and what stands outside data sets.
    lost = []
    for row in rows_of(option, "K"):
        element, (kept, _) = planted(row), under(option, row, context)
        same = kept is not None and (kept.VR == "SQ" or kept.value == element.value)
        if not same and element.VR not in {"OB", "UN"} and element.tag.group > 0x0007:
            lost.append(f"{row.tag} {row.keyword}")

    assert not lost


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_leaves_nothing_of_what_its_column_cleans(option: Option, context: str) -> None:
    # Moved dates are other dates; pixels are blacked out by rules, and overlays go.
    left = [row.keyword for row in rows_of(option, "C") if encoded(row) in under(option, row, context)[1]]

    assert not [keyword for keyword in left if keyword != "PixelData"]
