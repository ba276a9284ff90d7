"""New values in the place of old ones: dummies by value representation, mapped UIDs, moved dates."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

DUMMY_TEXT = "ANONYMIZED"
# Valid in their value representation (PS3.5 6.2), and the same for everybody.
_DUMMIES: dict[str, object] = {
    "AS": "050Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "DS": "0", "IS": "0",
    "UR": "urn:anonymized", "OB": b"\0\0", "OW": b"\0\0", "UN": b"\0\0",
    "OF": b"\0" * 4, "OL": b"\0" * 4, "OD": b"\0" * 8, "OV": b"\0" * 8,
} | dict.fromkeys(("US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT"), 0)  # fmt: skip
# Attributes whose UID says what kind of thing this is, never which.
_KINDS_OF_UID = ("SOPClassUID", "TransferSyntaxUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID", "ClassUIDs")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_OLDEST_AGE = 89


def dummy(vr: str) -> object:
    """Return a value of the VR that says nothing; a text of the VR's letters where it holds text."""
    return _DUMMIES.get(vr, DUMMY_TEXT)


def texts(element: DataElement) -> list[str]:
    """Return the values of an element as text."""
    value = element.value
    if value is None:
        return []
    many = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [str(one) for one in many]


def replaced(element: DataElement, change: Callable[[str], str]) -> DataElement:
    """Return an element with each of its values changed."""
    changed = [change(text) if text else "" for text in texts(element)]
    return made(element, changed[0] if len(changed) == 1 else changed)


def made(element: DataElement, value: object) -> DataElement:
    """Return an element of the same tag with another value; its validity is ours to see to."""
    return DataElement(element.tag, element.VR, value, validation_mode=0)


def names_a_kind(keyword: str, uid: str) -> bool:
    """Return whether a UID is of the standard or names a class, a syntax or a coding scheme, not an instance."""
    return uid in UID_dictionary or (keyword.endswith(_KINDS_OF_UID) and _UID.fullmatch(uid) is not None)


def aggregated_age(text: str) -> str:
    """Return an age; over 89 years it is 90 years, since so few are that old (45 CFR 164.514(b)(2)(i)(C))."""
    number, unit = text[:-1], text[-1:]
    return "090Y" if unit == "Y" and number.isdigit() and int(number) > _OLDEST_AGE else text
