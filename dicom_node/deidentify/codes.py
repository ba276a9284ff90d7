"""Codes that say nothing of anybody: those that DICOM itself defines, with the meaning that it gives them."""

from __future__ import annotations

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.deidentify.person import text_of
from inference.terminology import OTHER_SCHEMES, bare, concepts, meanings_of


def are_standard(element: DataElement) -> bool:
    """Return whether every item of a sequence is a concept of the context groups of PS3.16, in its own words."""
    return bool(element.value) and all(_is_standard(item) for item in element.value)


def names_a_scheme(element: DataElement) -> bool:
    """Return whether an attribute names a coding scheme of PS3.16 Table 8-1."""
    return element.keyword == "CodingSchemeDesignator" and str(element.value) in concepts.keys() | OTHER_SCHEMES


def _is_standard(item: Dataset) -> bool:
    meanings = meanings_of(text_of(item, "CodingSchemeDesignator")).get(text_of(item, "CodeValue"), ())
    return bare(text_of(item, "CodeMeaning")) in map(bare, meanings)
