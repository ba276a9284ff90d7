"""The header of the source, in the bytes of the hospital and as text.

What names the patient and the study passes into a result as the bytes that arrived: no decoding, so no way to
damage a name. Only where the source switches between character sets, or one of our own texts needs more than ASCII, is
everything written anew in UTF-8, and read back.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import VR, PersonName

from structured_reports.header_faults import as_the_dictionary_says, leave_out_invalid, require_usable

UTF_8 = "ISO_IR 192"

# Who and which study: PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.2.2 (Patient Study). Size, weight
# and readers are left out: they name nobody, and in real headers they are often zero or free text.
CARRIED = (
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
    "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "PatientAge", "AdmissionID", "IssuerOfAdmissionIDSequence", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "StudyDescription", "AccessionNumber", "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName", "ReferencedStudySequence", "ProcedureCodeSequence",
)  # fmt: skip

# Type 2 of the same modules: present, empty where the source has none
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip

# Coded values, of which an invalid one is made valid or empty
REPAIRED = frozenset({"PatientSex", "PatientBirthDate", "PatientAge", "StudyDate", "StudyTime"})

_SEXES = ("M", "F", "O", "")  # PS3.3 C.7.1.1, enumerated values
# Switches G1 to GB 2312 (PS3.3 Table C.12-4); pydicom reads what follows rightly, and leaves the switch in the text
_GB_2312, _TO_GB_2312 = "ISO 2022 IR 58", "\x1b$)A"
_LONGEST_GROUP_READ = 0x5000  # curves, overlays and pixel data say nothing about identity


@dataclass(frozen=True)
class SourceHeader:
    """The header of the source.

    Attributes
    ----------
    encoded
        Elements as they arrived, not decoded.
    text
        The same, to read values from: reading decodes.
    """

    encoded: Dataset
    text: Dataset

    def __post_init__(self) -> None:
        require_usable(self.text)
        leave_out_invalid(self.encoded, self.text)

    def get(self, keyword: str) -> Any:  # noqa: ANN401  the type depends on the keyword
        """Return a value, or None where the source has none that can be read."""
        try:
            return self.text.get(keyword)
        except (ValueError, TypeError, OverflowError):  # "abc" in a number: as good as absent
            return None

    def identity(self, charset: str | list[str] | None) -> Dataset:
        """Return patient and study attributes with SpecificCharacterSet, to be written in `charset`."""
        carried = self._reencoded() if charset != self.charset else self._as_they_arrived()
        for keyword in _TYPE_2:
            if keyword not in carried:
                setattr(carried, keyword, "")
        if charset is not None:
            carried.SpecificCharacterSet = charset  # before the repairs, which read what they repair
        _make_valid(carried)
        return carried

    @property
    def charset(self) -> str | list[str] | None:
        """SpecificCharacterSet of the source; None where it has none."""
        value = self.get("SpecificCharacterSet")
        return value or None if isinstance(value, str | None) else [str(part) for part in value]

    @property
    def is_switched(self) -> bool:
        """True where the source switches between character sets by escape sequences (PS3.5 6.1.2.5)."""
        return not isinstance(self.charset, str | None) or str(self.charset).startswith("ISO 2022")

    def _as_they_arrived(self) -> Dataset:
        carried = Dataset()
        for tag in carried_tags(self.encoded):
            carried[tag] = _explicit(self.encoded, tag)
        return carried

    def _reencoded(self) -> Dataset:
        carried = Dataset()
        for tag in carried_tags(self.text):
            carried[tag] = deepcopy(self.text[tag])
        if self.charset is not None:
            carried.SpecificCharacterSet = self.charset
        carried.decode()
        for tag in carried_tags(self.text):
            if self.text[tag].VR == VR.PN:
                # Decoding has written a name in its old character set once more, which not every one survives
                carried[tag].value = _as_words(self.text[tag].value)
        carried.walk(_forget_charset)
        return carried


def read_header(source: Dataset) -> SourceHeader:
    """Return the header of `source`, which is left as it is.

    Raises
    ------
    UnusableHeaderError
        A UID that every reference needs is missing or none, or what names the patient cannot stand in a valid object.
    """
    encoded, text = _copied(source), _copied(source)
    _drop_switches(text)
    return SourceHeader(encoded, text)


def _drop_switches(dataset: Dataset) -> None:
    """Remove from what is carried what switched its character set."""
    if _GB_2312 in str(dataset.get("SpecificCharacterSet")):
        for tag in carried_tags(dataset):
            _drop_switch(dataset, dataset[tag])


def _drop_switch(dataset: Dataset, element: DataElement) -> None:
    if element.VR == VR.SQ:
        for item in element.value or ():
            item.walk(_drop_switch)
    elif element.VM == 1 and _TO_GB_2312 in str(element.value):
        element.value = str(element.value).replace(_TO_GB_2312, "")


def _copied(source: Dataset) -> Dataset:
    """Return what is read of a header; of an element as it arrived, which nothing can change, no copy is made."""
    copied = Dataset()
    for tag in source.keys():  # noqa: SIM118  iterating a data set decodes it
        if tag.group < _LONGEST_GROUP_READ and not tag.is_private:
            element = source.get_item(tag)
            copied[tag] = element if isinstance(element, RawDataElement) else deepcopy(element)
    for tag in carried_tags(copied):
        copied[tag] = as_the_dictionary_says(copied.get_item(tag), dictionary_VR(tag))
    return copied


def carried_tags(dataset: Dataset) -> list[BaseTag]:
    """Return the tags of patient and study attributes that `dataset` has."""
    tags = (Tag(tag_for_keyword(keyword) or 0) for keyword in CARRIED)
    return [tag for tag in tags if tag in dataset]


def python_encodings(charset: str | list[str] | None) -> list[str]:
    """Return the codecs of SpecificCharacterSet, as pydicom compares them."""
    return convert_encodings(charset) if charset else [default_encoding]


def _explicit(dataset: Dataset, tag: BaseTag) -> DataElement | RawDataElement:
    """Return an element as bytes where its bytes are the same in explicit VR little endian, else decoded."""
    element = dataset.get_item(tag)
    if not isinstance(element, RawDataElement) or element.VR in (VR.SQ, VR.UN):
        return dataset[tag]
    if dictionary_VR(tag) != VR.SQ:
        return element._replace(VR=dictionary_VR(tag), is_implicit_VR=False, is_little_endian=True)
    return dataset[tag]


def _as_words(value: PersonName | MultiValue[PersonName] | None) -> PersonName | list[PersonName]:
    """Return a name, or several, without the bytes that it came from."""
    return [PersonName(str(one)) for one in value] if isinstance(value, MultiValue) else PersonName(str(value or ""))


def _forget_charset(dataset: Dataset, element: DataElement) -> None:
    """Drop the character set of a sequence item: the object has one for all."""
    if element.keyword == "SpecificCharacterSet":
        del dataset[element.tag]


def _make_valid(carried: Dataset) -> None:
    """Repair what has one valid spelling; empty or drop what has none."""
    if carried.PatientSex not in _SEXES:
        carried.PatientSex = ""
    for keyword in ("StudyDate", "PatientBirthDate"):
        _make_valid_date(carried, keyword)
    _replace(carried, "StudyTime", _text(carried, "StudyTime").replace(":", ""))  # ACR-NEMA (PS3.5 6.2, VR TM)
    if "PatientAge" in carried and not re.fullmatch(r"\d{3}[DWMY]", _text(carried, "PatientAge")):
        del carried.PatientAge
    referrer = _text(carried, "ReferringPhysicianName")
    if referrer and referrer.isascii() and "^" not in referrer and "=" not in referrer:
        # One word is a family name, and empty components after it say nothing (PS3.5 6.2.1.1)
        carried.ReferringPhysicianName = f"{referrer}^"


def _make_valid_date(carried: Dataset, keyword: str) -> None:
    """Remove the dots of ACR-NEMA (PS3.5 6.2, VR DA); a day that does not exist is unknown."""
    value = _text(carried, keyword).replace(".", "")
    try:
        datetime.strptime(value, "%Y%m%d")  # a date has no time zone
    except ValueError:
        value = ""
    _replace(carried, keyword, value)


def _text(carried: Dataset, keyword: str) -> str:
    return str(carried[keyword].value or "").strip()


def _replace(carried: Dataset, keyword: str, value: str) -> None:
    """Set a value only if it differs, so that what is right stays in the bytes that arrived."""
    if value != _text(carried, keyword):
        setattr(carried, keyword, value)
