"""Values of a source header that no valid result can carry: left out where nobody is named by them, else a refusal.

Who and which study is never shortened, completed or guessed: a result with another patient ID is another patient's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from structured_reports.errors import UnusableHeaderError

# Without these there is nothing to refer to (PS3.3 C.7.2.1, C.7.3.1, C.12.1, all type 1)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

# They say who it is, or by what a PACS and an EHR find the order
_NAMING = ("PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber")

# Of the same modules; a result without them is the same patient's
_ASIDE = (
    "OtherPatientNames", "TypeOfPatientID", "AdmissionID", "StudyTime", "StudyID", "StudyDescription",
    "ReferringPhysicianName", "PatientAge", "Manufacturer", "ManufacturerModelName", "StationName",
    "DeviceSerialNumber", "LossyImageCompressionRatio", "TimezoneOffsetFromUTC",
)  # fmt: skip

_MANY = ("OtherPatientNames", "LossyImageCompressionRatio")
"""Those that may have several values."""

_LONGEST = {"LO": 64, "SH": 16, "CS": 16, "DS": 16}  # characters (PS3.5 6.2)
_GROUP, _COMPONENTS, _GROUPS = 64, 5, 3  # of a name (PS3.5 6.2.1)
_SPELLED = {
    "CS": re.compile(r"[A-Z0-9 _]*"),
    "DS": re.compile(r" *[+-]?\d+(\.\d*)?([Ee][+-]?\d+)? *"),
    "TM": re.compile(r"[\d:]{2,8}(\.\d{1,6})?"),
}
_KNOWN_IDS = ("TEXT", "RFID", "BARCODE")  # PS3.3 C.7.1.1, TypeOfPatientID


def require_usable(text: Dataset) -> None:
    """Refuse a header whose identity no result can carry.

    Raises
    ------
    UnusableHeaderError
        With the name of the attribute and the rule, never the value.
    """
    missing = [keyword for keyword in _UIDS if not _read(text, keyword)]
    if missing:
        raise UnusableHeaderError(f"source header: {', '.join(missing)} missing or empty (type 1 in PS3.3)")
    for keyword in _UIDS:
        if not isinstance(_read(text, keyword), str) or not UID(_read(text, keyword)).is_valid:
            raise UnusableHeaderError(
                f"source header: {keyword} is not one UID of at most 64 characters without leading zeros (PS3.5 9.1)"
            )
    strange = [one for one in _charsets(text) if one not in python_encoding]
    for keyword in _NAMING:
        fault = _fault(text, keyword)
        if fault:
            raise UnusableHeaderError(f"source header: {keyword} {fault}")
        value = str(_read(text, keyword) or "")
        if strange and not value.isascii():
            raise UnusableHeaderError(
                f"source header: SpecificCharacterSet has a term that PS3.3 C.12.1.1.2 does not define, and {keyword} "
                "needs it"
            )
        if "\ufffd" in value:
            raise UnusableHeaderError(f"source header: {keyword} is not written in SpecificCharacterSet")


def require_standard_class(text: Dataset) -> None:
    """Refuse what no region can lie on.

    Raises
    ------
    UnusableHeaderError
        The SOP class is a private one, or one that the tools which write regions do not know.
    """
    if UID(text.SOPClassUID).is_private:
        raise UnusableHeaderError(
            "source header: SOPClassUID is private; a region refers to an image of a standard SOP class (TID 1410)"
        )


def leave_out_invalid(encoded: Dataset, text: Dataset) -> None:
    """Remove what is invalid and names nobody, and a character set that is none and that nothing needs."""
    for keyword in _ASIDE:
        if keyword in text and (_fault(text, keyword) or "\ufffd" in str(_read(text, keyword))):
            del encoded[keyword], text[keyword]
    if any(one not in python_encoding for one in _charsets(text)):
        for keyword in _ASIDE:
            if not str(_read(text, keyword) or "").isascii():
                del encoded[keyword], text[keyword]
        del encoded["SpecificCharacterSet"], text["SpecificCharacterSet"]


def as_the_dictionary_says(element: DataElement | RawDataElement, vr: str) -> DataElement | RawDataElement:
    """Return an element that arrived with another value representation than its attribute has."""
    if not isinstance(element, RawDataElement) or element.VR in (None, vr, "SQ") or vr == "SQ":
        return element
    return element._replace(VR=vr)


def _fault(text: Dataset, keyword: str) -> str:
    """Return what is wrong with a value; empty where nothing is."""
    value = _read(text, keyword)
    if value is None:
        return "" if text.get_item(keyword) is None or not text.get_item(keyword).value else "cannot be read"
    values: Sequence[Any] = value if isinstance(value, MultiValue) else (value,)
    if len(values) > 1 and keyword not in _MANY:
        return "has several values; it has one (PS3.6)"
    if keyword == "TypeOfPatientID" and str(values[0] or "TEXT") not in _KNOWN_IDS:
        return "is not one of its defined terms (PS3.3 C.7.1.1)"
    return next(filter(None, (_fault_of(str(one), text[keyword].VR) for one in values)), "")


def _fault_of(value: str, vr: str) -> str:
    value = value.rstrip(" \0")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        return "holds a control character (PS3.5 6.2)"
    if vr == "PN":
        return _fault_of_name(value)
    if len(value) > _LONGEST.get(vr, len(value)):
        return f"is longer than {_LONGEST[vr]} characters (PS3.5 6.2, VR {vr})"
    if value and vr in _SPELLED and not _SPELLED[vr].fullmatch(value):
        return f"is not spelled as PS3.5 6.2 says (VR {vr})"
    return ""


def _fault_of_name(value: str) -> str:
    groups = value.split("=")
    if len(groups) > _GROUPS or any(len(one) > _GROUP for one in groups):
        return f"is longer than {_GROUPS} groups of {_GROUP} characters (PS3.5 6.2.1, VR PN)"
    if any(one.rstrip("^").count("^") >= _COMPONENTS for one in groups):
        return f"has more than {_COMPONENTS} components (PS3.5 6.2.1, VR PN)"
    return ""


def _charsets(text: Dataset) -> list[str]:
    value = _read(text, "SpecificCharacterSet")
    return [str(one) for one in value] if isinstance(value, MultiValue) else [str(value or "")]


def _read(text: Dataset, keyword: str) -> Any:  # noqa: ANN401  the type depends on the keyword
    try:
        return text.get(keyword)
    except (ValueError, TypeError, OverflowError):
        return None
