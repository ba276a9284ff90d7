"""The part of a header that a model may see: an allow-list without identity."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

# Each says what the image is, none whose it is (PS3.15 Table E.1-1 keeps or cleans them).
ATTRIBUTES = (
    "Modality",
    "SOPClassUID",
    "ImageType",
    "PresentationIntentType",
    "BodyPartExamined",
    "ViewPosition",
    "PatientOrientation",
    "Laterality",
    "ImageLaterality",
    "PhotometricInterpretation",
    "BurnedInAnnotation",
    "QualityControlImage",
)
CODES = ("ViewCodeSequence",)


def allowed_attributes(dataset: Dataset) -> Mapping[str, str]:
    """Return keyword and value of the allow-listed elements; several values are joined by a backslash."""
    found = {keyword: text_of(dataset, keyword) for keyword in ATTRIBUTES}
    found |= {keyword: code_of(dataset, keyword) for keyword in CODES}
    # A plain dict: a mapping proxy cannot travel to another process.
    return {keyword: text for keyword, text in found.items() if text}


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an element as text, empty where it is absent."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    if isinstance(value, MultiValue):
        return "\\".join(str(part).strip() for part in value)
    return str(value).strip()


def code_of(dataset: Dataset, keyword: str) -> str:
    """Return the code value of a code sequence's first item, empty where there is none."""
    items = list(dataset.get(keyword) or ())
    return str(items[0].get("CodeValue", "")).strip() if items else ""
