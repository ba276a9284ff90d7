"""Whether an object's pixels may leave: decided by its header alone.

References
----------
* DICOM Standard, Part 15, E.3.1 (Clean Pixel Data Option), E.3.2 (Clean Recognizable Visual Features Option)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pydicom.dataset import Dataset

from dicom_node.deidentify import image_kinds as kinds
from dicom_node.deidentify.blanking import blank
from dicom_node.deidentify.reasons import SENTENCES, Reason
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.rules import PixelRule, PixelRules

__all__ = ["Blank", "Decision", "Pass", "Refuse", "blank", "decide"]


@dataclass(frozen=True)
class Pass:
    """There are no pixels, or none that a name is written on."""


@dataclass(frozen=True)
class Blank:
    """Rectangles are to be blacked out; without any, only the bits beside the pixels are cleaned (an overlay's)."""

    rectangles: tuple[Rectangle, ...]


@dataclass(frozen=True)
class Refuse:
    """The object stays; the sentence holds nothing of it."""

    code: Reason
    sentence: str


Decision: TypeAlias = Pass | Blank | Refuse

# Without pixels or with them; no rule helps.
_NEVER: tuple[tuple[Callable[[Dataset], bool], Reason], ...] = (
    (kinds.is_document, Reason.DOCUMENT),
    (lambda dataset: "PixelDataProviderURL" in dataset, Reason.ELSEWHERE),
    (lambda dataset: kinds.text(dataset, "SOPClassUID") in kinds.SURFACE_SCANS, Reason.PHOTOGRAPH),
    (lambda dataset: kinds.text(dataset, "SOPClassUID") in kinds.AUDIO, Reason.AUDIO),
    (kinds.is_video, Reason.VIDEO),
)

# Whatever Burned In Annotation says: converters write NO on what they never looked at. First one that holds.
_UNLESS_RULE: tuple[tuple[Callable[[Dataset], bool], Reason], ...] = (
    (lambda dataset: kinds.text(dataset, "BurnedInAnnotation") == "YES", Reason.BURNED_IN),
    (lambda dataset: kinds.text(dataset, "SOPClassUID") in kinds.SECONDARY_CAPTURES, Reason.SECONDARY_CAPTURE),
    (kinds.is_screen, Reason.SCREEN),
    (kinds.is_ultrasound, Reason.ULTRASOUND),
    (kinds.is_photograph, Reason.PHOTOGRAPH),
    (kinds.is_slide_label, Reason.SLIDE_LABEL),
    (kinds.is_digitised, Reason.DIGITISED),
    (lambda dataset: kinds.text(dataset, "RecognizableVisualFeatures") == "YES", Reason.RECOGNIZABLE),
    (kinds.is_unspecific, Reason.UNSPECIFIC),
    (lambda dataset: not kinds.is_standard(dataset), Reason.CLASS_UNKNOWN),
)


def decide(dataset: Dataset, rules: PixelRules, *, pixels: bool | None = None) -> Decision:
    """Return what is to become of an object's pixels; what is uncertain is refused.

    Parameters
    ----------
    dataset
        The header; pixels need not have been read, but the file meta information tells a video by its syntax.
    pixels
        Whether the object has pixels; None: told by Rows, Columns, Bits Allocated and Number of Frames.
    """
    for holds, reason in _NEVER:
        if holds(dataset):
            return _refuse(reason)
    if not (kinds.has_pixels(dataset) if pixels is None else pixels):
        return Pass()
    if not (dataset.get("Rows") and dataset.get("Columns")):
        return _refuse(Reason.GEOMETRY)
    rule = rules.match(dataset)
    decision = _by_header(dataset) if rule is None else _by_rule(dataset, rule)
    if decision == Pass() and kinds.has_embedded_overlay(dataset):
        return Blank(())
    return decision


def _by_rule(dataset: Dataset, rule: PixelRule) -> Decision:
    # A device's dose sheets and captures have its name and sometimes its size: only a rule that means them passes them.
    if kinds.is_screen(dataset) and not rule.image_type:
        return _refuse(Reason.SCREEN)
    if rule.rectangles:
        return Blank(rule.rectangles)
    if kinds.text(dataset, "BurnedInAnnotation") == "YES":
        return _refuse(Reason.BURNED_IN)
    return Pass()


def _by_header(dataset: Dataset) -> Decision:
    for holds, reason in _UNLESS_RULE:
        if holds(dataset):
            return _refuse(reason)
    annotation = kinds.text(dataset, "BurnedInAnnotation")
    if annotation == "NO" or kinds.text(dataset, "SOPClassUID") in kinds.COMPUTED:
        return Pass()
    if annotation or not kinds.is_cross_section(dataset):
        return _refuse(Reason.ANNOTATION_UNKNOWN)
    # Second value of Image Type: PRIMARY is what the examination gave (PS3.3 C.7.6.1.1.2).
    if kinds.words(dataset, "ImageType")[1:2] != ["PRIMARY"]:
        return _refuse(Reason.SECONDARY)
    return Pass() if kinds.is_plain_grey(dataset) else _refuse(Reason.COLOUR)


def _refuse(reason: Reason) -> Refuse:
    return Refuse(reason, SENTENCES[reason])
