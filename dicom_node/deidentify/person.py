"""Whose data set it is, and what in it names persons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from dicom_node.deidentify.name_forms import folded, joined, signs_of

# Besides every PN: identifiers whose value, if it stands in another attribute, would name the patient or the visit.
_IDENTIFIERS = frozenset(
    {
        "PatientID", "OtherPatientIDs", "IssuerOfPatientID", "AccessionNumber", "PatientAddress",
        "PatientTelephoneNumbers", "MilitaryRank", "MedicalRecordLocator", "AdmissionID", "PatientMotherBirthName",
        "InsurancePlanIdentification", "ResponsibleOrganization",
    }
)  # fmt: skip
# Of these the whole value is looked for elsewhere, not its words: makers, stations and hospitals share them.
INSTITUTION = frozenset({"InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"})
DEVICE = frozenset({"StationName", "DeviceSerialNumber", "PlateID", "DetectorID", "GantryID"})
_NAMING = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "PN" or entry[4] in _IDENTIFIERS)
_PLACING = frozenset(tag for tag, entry in DicomDictionary.items() if entry[4] in INSTITUTION | DEVICE)
_SHORTEST_WORD = 3
_SHORTEST_PHRASE = 4
_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]{3,}")


def identifier(dataset: Dataset) -> str:
    """Return who the patient is: issuer and Patient ID; empty where there is no Patient ID.

    The issuer belongs to it, since two hospitals give the same numbers to different persons (PS3.3 C.2.2).
    """
    patient_id = text_of(dataset, "PatientID")
    return f"{text_of(dataset, 'IssuerOfPatientID')}\\{patient_id}" if patient_id else ""


def words(text: str) -> frozenset[str]:
    """Return the words of a text, case folded."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


@dataclass(frozen=True)
class Identity:
    """What in a data set names somebody, wherever else it may stand in it; all case folded.

    Attributes
    ----------
    words
        Of at least three characters, in names and identifiers, as they are and without diacritics; of names also two
        parts written as one.
    phrases
        Whole values of at least four characters: identifiers, institutions, devices.
    signs
        Names in scripts without spaces, of at least two signs: each part, and all parts as one.
    """

    words: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()
    signs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, dataset: Dataset, retained: AbstractSet[str] = frozenset()) -> Identity:
        """Return the identity in a data set, at any depth.

        Parameters
        ----------
        retained
            Keywords of `INSTITUTION` and `DEVICE` that the profile keeps on purpose.
        """
        found: set[str] = set()
        phrases: set[str] = set()
        signs: set[str] = set()
        for element in _elements(dataset):
            text = str(element.value)
            if element.tag in _NAMING:
                found |= words(text)
            if element.VR == "PN":
                found |= joined(text)
                signs |= set(signs_of(text))
            elif element.keyword not in retained and len(text) >= _SHORTEST_PHRASE:
                phrases.add(text.strip().casefold())
        long = {form for word in found for form in (word, *folded(word)) if len(form) >= _SHORTEST_WORD}
        return cls(frozenset(long) - _NOBODY, frozenset(phrases) - _NOBODY, frozenset(signs))

    def stands_in(self, text: str) -> bool:
        """Return whether a text holds one of the words, or one of the phrases by itself."""
        said = words(text)
        if said & self.words or self._in_part(said):
            return True
        lower = text.casefold()
        return any(_stands_alone(phrase, lower) for phrase in self.phrases)

    def has_word_in(self, text: str) -> bool:
        """Return whether a text without spaces holds a word of the phrases, alone or within another."""
        lower = text.casefold()
        shared = (word for phrase in self.phrases for word in words(phrase) if len(word) >= _SHORTEST_PHRASE)
        return any(word in lower for word in shared)

    def _in_part(self, said: frozenset[str]) -> bool:
        """Return whether a word is an identifying one but for diacritics or digits, or holds signs of a name."""
        for word in said:
            if not word.isascii() and (self.words & folded(word) or any(name in word for name in self.signs)):
                return True
            if not word.isalpha() and self.words & set(_LETTERS.findall(word)):
                return True
        return False


# What writers put where nothing is.
_NOBODY = frozenset({"", "none", "unknown", "anonymous", "anonymized"})


def _stands_alone(phrase: str, text: str) -> bool:
    return phrase in text and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for raw in list(dataset.values()):  # as they stand in the file: few are decoded
        tag = int(raw.tag)
        is_telling = tag in _NAMING or tag in _PLACING
        if not is_telling and not _may_be_sequence(raw):
            continue
        try:
            element = dataset[raw.tag]
        except Exception:  # noqa: S112 - whatever pydicom raises at a malformed value; the engine removes it
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
        elif is_telling:
            yield element


def _may_be_sequence(raw: DataElement | RawDataElement) -> bool:
    """Return whether an element is a sequence, or is said to be unknown and could be one."""
    if raw.VR in {None, "UN"}:
        tag = int(raw.tag)
        return raw.tag.is_private or (dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ")
    return raw.VR == "SQ"


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return a value as text; empty where there is none, or none that can be read."""
    try:
        return str(dataset.get(keyword) or "").strip()
    except Exception:
        return ""
