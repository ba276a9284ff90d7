"""What of an original identifies somebody, as the audit sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from dicom_node.deidentify.audited_names import forms_of_name


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
    """One value, or one form of a name, with the attribute it stands in."""

    path: str
    kind: Kind
    text: str


# What a value of a known attribute says, its VR and keyword.
Known = tuple[Kind | None, str, str]

# By what an attribute's keyword says; the first that fits.
_KEYWORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        Kind.IDENTIFIER,
        re.compile(
            r"(Patient|Accession|Admission|Filler|Placer|Visit|Insurance|Record)\w*"
            r"(IDs?|Number|Locator|Identification)$"
            r"|(Filler|Placer)OrderNumber\w*$|^(StudyID|RequestedProcedureID|ContainerIdentifier|SpecimenIdentifier)$"
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
_KIND_OF_VR = {"PN": Kind.NAME, "UI": Kind.UID, "DA": Kind.DATE, "DT": Kind.DATE}
_GENERAL_UID = re.compile(
    r"(SOPClassUID|TransferSyntaxUID|CodingSchemeUID|ContextUID|MappingResourceUID|ClassUIDs)$|^Implementation"
)
# What writers put where no name is, in place of an identifier.
_NOBODY = frozenset(
    {"anonymized", "anonymous", "anonymised", "anonymize", "anon", "unknown", "none", "removed", "redacted", "patient"}
)
_SHORTEST = 4


def _kind_of(vr: str, keyword: str) -> Kind | None:
    if vr == "UI" and _GENERAL_UID.search(keyword):
        return None
    if vr in {"DA", "DT"} and "Birth" in keyword:
        return Kind.BIRTH_DATE
    named = next((kind for kind, pattern in _KEYWORDS if pattern.search(keyword)), None)
    return _KIND_OF_VR.get(vr) or named


# The only ones that are looked at: a header has a hundred others, which say nothing of anybody.
_KNOWN: dict[int, Known] = {
    tag: (kind, vr, keyword)
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if (kind := _kind_of(vr, keyword)) or vr == "SQ"
}
# The start of a sequence, little and big endian.
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
# Group and last byte of a private attribute; between them stands the block of its creator.
_PRIVATE_MASK = 0xFFFF00FF
_PRIVATE_TELLING = frozenset(
    int(tag.replace("xx", "00"), 16) & _PRIVATE_MASK
    for attributes in private_dictionaries.values()
    for tag, (vr, *_) in attributes.items()
    if vr in _TELLING_VRS and re.fullmatch(r"[0-9a-fA-F]{4}(xx|[0-9a-fA-F]{2})[0-9a-fA-F]{2}", tag)
)


def secrets_of(original: Dataset) -> tuple[Secret, ...]:
    """Return every identifying value of a data set and its file meta information, each once."""
    found = dict.fromkeys(_walk(original, ""))
    meta = getattr(original, "file_meta", None)
    if meta is not None:
        found |= dict.fromkeys(_walk(meta, ""))
    return tuple(found)


def _walk(dataset: Dataset, prefix: str) -> Iterator[Secret]:
    for one in list(dataset.values()):  # as they stand in the file: few are decoded
        known = _KNOWN.get(one.tag)
        if known is None and not _may_tell(one):
            continue
        texts = _plain(one) if known is not None and known[1] != "SQ" else None
        if known is not None and texts is not None:
            yield from _of(known[0], texts, prefix + known[2])
        else:
            yield from _decoded(dataset, one, known, prefix)


def _may_tell(one: DataElement | RawDataElement) -> bool:
    if one.VR not in {None, "UN"}:
        return one.VR in _TELLING_VRS and one.tag not in DicomDictionary
    # A private attribute of unknown VR may be a sequence, or one that pydicom knows.
    value = one.value
    return one.tag.is_private and (
        not isinstance(value, bytes) or value.startswith(_ITEMS) or one.tag & _PRIVATE_MASK in _PRIVATE_TELLING
    )


def _decoded(dataset: Dataset, one: DataElement | RawDataElement, known: Known | None, prefix: str) -> Iterator[Secret]:
    try:
        element = one if isinstance(one, DataElement) else dataset[one.tag]
    except Exception:  # what pydicom cannot read has no value to look for
        return
    path = prefix + ((known and known[2]) or element.keyword or str(element.tag))
    if isinstance(element.value, Sequence):
        for number, item in enumerate(element.value):
            yield from _walk(item, f"{path}[{number}]/")
    else:
        kind = known[0] if known else _kind_of(element.VR, element.keyword)
        yield from _of(kind, _texts(element), path)


def _of(kind: Kind | None, texts: list[str], path: str) -> Iterator[Secret]:
    for text in texts:
        if kind is Kind.NAME:
            yield from (Secret(path, kind, form) for form in forms_of_name(text))
        elif kind is not None and _counts(kind, text):
            yield Secret(path, kind, text)


def _counts(kind: Kind, text: str) -> bool:
    if kind in {Kind.DATE, Kind.BIRTH_DATE}:
        return text[:8].isdigit() and len(text) >= 8 and not text.startswith(("19000101", "00010101"))
    if len(text) < _SHORTEST:
        return False
    return text not in UID_dictionary if kind is Kind.UID else text.casefold() not in _NOBODY


def _plain(one: DataElement | RawDataElement) -> list[str] | None:
    """Return the texts of a value in ASCII without asking pydicom, which takes ten times as long; None if it must."""
    value = one.value
    if isinstance(one, DataElement) or not isinstance(value, bytes) or not value.isascii() or b"\x1b" in value:
        return None
    return [text.strip(" \0") for text in value.decode("ascii").split("\\")]


def _texts(element: DataElement) -> list[str]:
    value = element.value
    if value is None or isinstance(value, bytes):
        return []
    many = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [str(one).strip(" \0") for one in many]
