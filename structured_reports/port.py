"""The canonical result and the objects that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID

from inference.types import Prediction, Score, fault_of_text
from structured_reports.lifecycle import FormerResult
from structured_reports.slices import Slices


@dataclass(frozen=True)
class Equipment:
    """The node as the maker of its results (PS3.3 C.7.5.1).

    Attributes
    ----------
    device_uid
        Stable UID of this installation (device observer, TID 1004).
    """

    manufacturer: str
    model_name: str
    software_version: str
    serial_number: str
    station_name: str
    device_uid: str

    def __post_init__(self) -> None:
        for part in ("manufacturer", "model_name", "software_version", "serial_number", "station_name"):
            fault = fault_of_text(getattr(self, part))
            if fault:
                raise ValueError(f"{part}: {fault}; a maker of results has it (TID 1004)")
        if not UID(self.device_uid, config.IGNORE).is_valid:
            raise ValueError("device_uid: no UID (PS3.5 9.1)")


@dataclass(frozen=True)
class Refusal:
    """Why a study was not read: a code that programs compare, and a sentence for people (no identity)."""

    code: str
    reason: str


@dataclass(frozen=True)
class ReportRequest:
    """One result of one study generation; every object is a function of it alone.

    Attributes
    ----------
    source
        Header of the film that was read, as received and without pixel data. It carries identity. For a
        refused study: the header of any instance of the study.
    display
        uint8 (rows, columns): the source as a viewer shows it (modality and VOI LUT, polarity), not flipped,
        cropped or rotated; None for a refused study.
    outcome
        What the model said, or why no model was asked.
    made_at
        Time of the job with time zone, not of the clock: a rebuild is byte-identical.
    generation
        1 for the first result of the study; a later one speaks for the study from then on.
    notice
        Label on every object.
    heatmap
        False where the model may not point at image locations.
    former
        The recorded result that this one replaces; None where it replaces none.
    slices
        The series of which `source` is the slice that is shown; None where a film was read.
    model_number
        Place of the model among those of the node, from 1: it makes series numbers differ.
    model_word
        What tells the model from the others of the node, short; empty where there are no others.
    """

    source: Dataset
    display: NDArray[np.uint8] | None
    outcome: Prediction | Refusal
    equipment: Equipment
    made_at: datetime
    generation: int = 1
    notice: str = "AI RESULT - NOT FOR DIAGNOSTIC USE"
    heatmap: bool = True
    former: FormerResult | None = None
    slices: Slices | None = None
    model_number: int = 1
    model_word: str = ""

    def __post_init__(self) -> None:
        if self.made_at.tzinfo is None:
            raise ValueError("made_at: a result time needs a time zone")
        if self.generation < 1:
            raise ValueError(f"generation: {self.generation}; the first result of a study is 1")
        fault = fault_of_text(self.notice)
        if fault:
            raise ValueError(f"notice: {fault}; every object is labelled")
        if self.model_word and fault_of_text(self.model_word):
            raise ValueError(f"model_word: {fault_of_text(self.model_word)}")
        if self.slices is not None and self.slices.shown_uid != self.source.SOPInstanceUID:
            raise ValueError("slices: the one that is shown is not the source")
        if isinstance(self.outcome, Prediction):
            _check_scores(self.outcome.scores, _checked_film(self.display, self.source))


def _checked_film(display: NDArray[np.uint8] | None, source: Dataset) -> NDArray[np.uint8]:
    """Return the film; raises where a place on it would be another one of the source."""
    if display is None:
        raise ValueError("display: a prediction needs the film that it is about")
    if display.ndim != 2 or not display.size or display.dtype != np.uint8:
        raise ValueError(f"display: {display.dtype} of shape {display.shape}; a film is uint8 (rows, columns)")
    stored = (source.get("Rows"), source.get("Columns"))
    if all(isinstance(length, int) for length in stored) and stored != display.shape:
        raise ValueError(f"display: shape {display.shape}, the source has (Rows, Columns) of {stored}")
    return display


def _check_scores(scores: Sequence[Score], display: NDArray[np.uint8]) -> None:
    if not scores:
        raise ValueError("outcome: a prediction without scores; a result says something of at least one finding")
    for score in scores:
        if score.saliency is not None and score.saliency.shape != display.shape:
            raise ValueError(
                f"saliency of {score.finding.name}: shape {score.saliency.shape}, the film has {display.shape}"
            )


DICOM = "application/dicom"
FHIR_JSON = "application/fhir+json"
PNG = "image/png"

KINDS = ("summary", "heatmap", "gsps", "seg", "seg-fractional", "report", "pdf", "kos", "fhir")
"""Keys of `structured_reports.build.BUILDERS`, for those who must not import what builds."""

DEFAULT_KINDS = ("summary", "heatmap", "report", "fhir")
"""What is made where the settings do not say: all that viewers show without surprises."""

POINTING_KINDS = ("gsps", "seg", "seg-fractional")
"""What says nothing but where: none is made for a model that may not point into an image."""


REJECTION = "rejection"
"""Kind of the note that withdraws results: no builder makes it, and every destination takes it."""


@dataclass(frozen=True)
class ResultObject:
    """Bytes that are recorded once and sent on every attempt: as they are, or with the same values as implicit VR.

    Objects of one result that are forms of each other are alternatives: a destination is sent one of them.

    Attributes
    ----------
    kind
        Key of `structured_reports.build.BUILDERS`, or `REJECTION`.
    uid
        SOP Instance UID, or the ``urn:uuid:`` of the bundle.
    media_type
        `DICOM` (a Part 10 file) or `FHIR_JSON`.
    content
        The encoded object.
    sop_class_uid, transfer_syntax_uid
        Of a DICOM object, else empty.
    picture
        PNG of what a reader sees, for consoles and folders; None where there is no picture.
    form
        Key of `structured_reports.forms`, `REPORT_FORMS` or `ENCODINGS`; empty for an object as it is first made.
    alternative_to
        `uid` of the object whose place this may take: its own for another encoding. Empty for that object.
    """

    kind: str
    uid: str
    media_type: str
    content: bytes
    sop_class_uid: str = ""
    transfer_syntax_uid: str = ""
    picture: bytes | None = None
    form: str = ""
    alternative_to: str = ""


Builder = Callable[[ReportRequest, Mapping[str, ResultObject]], ResultObject | None]
"""Builds one object, given those built before it (an SR refers to the heatmap); None where none applies."""
