"""What was decided on one attribute, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Acted:
    """One rule that acted on one attribute; holds no value.

    Attributes
    ----------
    path
        Keywords from the top, items numbered from 0: `RequestAttributesSequence[0]/ScheduledProcedureStepID`; a tag
        where there is no keyword.
    rule
        `E.1-1` with its code, an option's name with its code, or what of the net.
    """

    path: str
    rule: str


@dataclass(frozen=True)
class Place:
    """Where an attribute stands: its data set or item, the keyword of the sequence around it, in a dummy or not."""

    around: Dataset
    sequence: str | None
    dummy: bool


@dataclass(frozen=True)
class Verdict:
    """What is kept of an attribute, by which rule if it changed, and whether its items become dummies."""

    element: DataElement | RawDataElement | None
    rule: str | None = None
    dummy: bool = False
