"""What the vault is told of an object: whom and what each of its pseudonyms stands for."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_node.deidentify.person import text_of
from dicom_node.deidentify.vault import Link

# Of a person: what finds the record again, and the person where a hospital gave the number anew.
_PERSON = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")
_KINDS = {
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "accession": "AccessionNumber",
}


def links_of(original: Dataset, made: Dataset) -> tuple[Link, ...]:
    """Return what each pseudonym of a de-identified object stands for; nothing of what was retained."""
    return tuple(_links(original, made))


def _links(original: Dataset, made: Dataset) -> Iterator[Link]:
    person = {keyword: text for keyword in _PERSON if (text := text_of(original, keyword))}
    if text_of(made, "PatientID") and person.get("PatientID"):
        yield Link("person", text_of(made, "PatientID"), person)
    for kind, keyword in _KINDS.items():
        pseudonym, text = text_of(made, keyword), text_of(original, keyword)
        if pseudonym and text and pseudonym != text:
            yield Link(kind, pseudonym, {keyword: text})
