"""What of an original identifies somebody, as the audit sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


class Kind(StrEnum):
    """What a value says of somebody; a profile may retain some of these."""

    NAME = "name"
    IDENTIFIER = "identifier"
    ADDRESS = "address"
    BIRTH_DATE = "birth date"
    DATE = "date"
    UID = "UID"
    DEVICE = "device"
    INSTITUTION = "institution"


@dataclass(frozen=True)
class Secret:
    """One value, or one word of a name, with the attribute it stands in."""

    path: str
    kind: Kind
    text: str


# By what an attribute's keyword says; the first that fits.
_KEYWORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        Kind.IDENTIFIER,
        re.compile(
            r"(Patient|Accession|Admission|Filler|Placer|Visit|Insurance|Record)\w*"
            r"(IDs?|Number|Locator|Identification)$"
        ),
    ),
    (
        Kind.ADDRESS,
        re.compile(r"(Patient|Person|Physician|Responsible)\w*(Address|Telephone\w*|Telecom\w*)$|^MilitaryRank$"),
    ),
    (Kind.INSTITUTION, re.compile(r"^Institution(Name|Address|alDepartmentName)$")),
    (Kind.DEVICE, re.compile(r"^(DeviceSerialNumber|StationName|PlateID|DetectorID|GantryID|DeviceUID)$")),
)
_TELLING_VRS = frozenset({"PN", "UI", "DA", "DT", "SQ"})
# The only ones that are decoded: a header has a hundred others, which say nothing of anybody.
_TELLING = frozenset(
    tag
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if vr in _TELLING_VRS or any(pattern.search(keyword) for _, pattern in _KEYWORDS)
)
_NAMES = re.compile(r"[^\W\d_]{3,}")
# What writers put where no name is: it names nobody, and our own dummies use it.
_NOBODY = frozenset(
    {"anonymized", "anonymous", "anonymised", "anonymize", "anon", "unknown", "none", "removed", "redacted", "patient"}
)
_SHORTEST = 4
_KIND_OF_UID = ("SOPClassUID", "TransferSyntaxUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID", "ClassUIDs")


def secrets_of(original: Dataset) -> tuple[Secret, ...]:
    """Return every identifying value of a data set and its file meta information, each once."""
    found = dict.fromkeys(_walk(original, ""))
    meta = getattr(original, "file_meta", None)
    if meta is not None:
        found |= dict.fromkeys(_walk(meta, ""))
    return tuple(found)


def _walk(dataset: Dataset, prefix: str) -> Iterator[Secret]:
    for raw in list(dataset.values()):  # as they stand in the file: few are decoded
        tag = raw.tag
        # A private attribute of unknown VR may be a sequence, or one that pydicom knows.
        if tag not in _TELLING and raw.VR not in _TELLING_VRS and not (raw.VR in {None, "UN"} and tag.is_private):
            continue
        try:
            element = dataset[tag]
        except Exception:  # noqa: S112 - what pydicom cannot read has no value to look for
            continue
        path = prefix + (element.keyword or str(tag))
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _walk(item, f"{path}[{number}]/")
        else:
            yield from _of(element, path)


def _of(element: DataElement, path: str) -> Iterator[Secret]:
    for text in _texts(element):
        if element.VR == "PN":
            yield from (
                Secret(path, Kind.NAME, word) for word in _NAMES.findall(text) if word.casefold() not in _NOBODY
            )
        elif kind := _kind(element, text):
            yield Secret(path, kind, text)


def _kind(element: DataElement, text: str) -> Kind | None:
    keyword = element.keyword
    if element.VR == "UI":
        general = text in UID_dictionary or keyword.endswith(_KIND_OF_UID) or keyword.startswith("Implementation")
        return None if general or len(text) < _SHORTEST else Kind.UID
    if element.VR in {"DA", "DT"}:
        kind = Kind.BIRTH_DATE if "Birth" in keyword else Kind.DATE
        return kind if re.match(r"\d{8}", text) and not text.startswith(("19000101", "00010101")) else None
    if len(text) < _SHORTEST or text.casefold() in _NOBODY:
        return None
    return next((kind for kind, pattern in _KEYWORDS if pattern.search(keyword)), None)


def _texts(element: DataElement) -> list[str]:
    value = element.value
    if value is None or isinstance(value, bytes):
        return []
    many = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [str(one).strip(" \0") for one in many]
