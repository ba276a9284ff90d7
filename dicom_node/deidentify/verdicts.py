"""What was decided on one attribute, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

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


class Manner(Enum):
    """What becomes of the attributes of an item that the table does not name."""

    AS_USUAL = "as usual"
    CLEANED = "cleaned"  # texts keep the words that are known to be harmless
    DUMMY = "dummy"  # every value is a dummy


@dataclass(frozen=True)
class Place:
    """Where an attribute stands: its data set or item, the keyword of the sequence around it, and how it is treated."""

    around: Dataset
    sequence: str | None
    manner: Manner


@dataclass(frozen=True)
class Verdict:
    """What is kept of an attribute, by which rule if it changed, and how its items are treated."""

    element: DataElement | RawDataElement | None
    rule: str | None = None
    items: Manner = Manner.AS_USUAL
