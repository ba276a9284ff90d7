"""Whose data set it is, and what in it names persons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

# Besides every PN: identifiers whose value, if it stands in another attribute, would name the patient or the visit.
_IDENTIFIERS = frozenset(
    {
        "PatientID", "OtherPatientIDs", "IssuerOfPatientID", "AccessionNumber", "PatientAddress",
        "PatientTelephoneNumbers", "MilitaryRank", "MedicalRecordLocator", "AdmissionID", "PatientMotherBirthName",
        "InsurancePlanIdentification", "ResponsibleOrganization",
    }
)  # fmt: skip
_NAMING = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "PN" or entry[4] in _IDENTIFIERS)
_SHORTEST_WORD = 3
_WORD = re.compile(r"[^\W_]+")


def identifier(dataset: Dataset) -> str:
    """Return who the patient is: issuer and Patient ID; empty where there is no Patient ID.

    The issuer belongs to it, since two hospitals give the same numbers to different persons (PS3.3 C.2.2).
    """
    patient_id = text_of(dataset, "PatientID")
    return f"{text_of(dataset, 'IssuerOfPatientID')}\\{patient_id}" if patient_id else ""


def words(text: str) -> frozenset[str]:
    """Return the words of a text, case folded."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


def identifying_words(dataset: Dataset) -> frozenset[str]:
    """Return the words of at least three characters in the names and identifiers of a data set, at any depth."""
    found: set[str] = set()
    for element in _elements(dataset):
        found |= words(str(element.value))
    return frozenset(word for word in found if len(word) >= _SHORTEST_WORD)


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for raw in list(dataset.values()):  # as they stand in the file: few are decoded
        tag = int(raw.tag)
        if tag not in _NAMING and not _may_be_sequence(raw):
            continue
        try:
            element = dataset[raw.tag]
        except Exception:  # noqa: S112 - whatever pydicom raises at a malformed value; the engine removes it
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
        elif tag in _NAMING:
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
