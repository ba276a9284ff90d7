"""Whether the images of a study are of one patient, so far as their headers say.

A Study Instance UID that two patients share comes of a mistake at the modality, or of a correction that was sent beside
what it corrects: nobody here can know whose result it would be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import pydicom

from dicom_node.films import Source
from structured_reports.port import Refusal

SEVERAL = "identity"
"""Reason code of a study with images of several patients."""


class _Identity(NamedTuple):
    """Attributes of the Patient Module (PS3.3 C.7.1.1), empty where an image does not have them."""

    PatientID: str
    IssuerOfPatientID: str
    PatientBirthDate: str
    PatientName: str


def several_patients(sources: Sequence[Source]) -> Refusal | None:
    """Return why a study is not read, where its images name several patients; the values are not told.

    What an image does not say contradicts nobody. One ID with one birth date is one patient however the name is
    written.

    Raises
    ------
    OSError
        The disk, not the instance.
    """
    if len(sources) < 2:
        return None
    for one, other in combinations({_identity(source) for source in sources}, 2):
        if keyword := _contradiction(one, other):
            reason = f"{keyword} differs within the study; its images are of several patients, and a result is of one"
            return Refusal(SEVERAL, reason)
    return None


def _contradiction(one: _Identity, other: _Identity) -> str:
    """Return the attribute by which two images are of different patients, empty where none says so."""
    for keyword, mine, others in zip(_Identity._fields[:3], one[:3], other[:3], strict=True):
        if mine and others and mine != others:
            return keyword
    certain = one.PatientID and one.PatientBirthDate and one[:3] == other[:3]
    named = one.PatientName and other.PatientName
    return "PatientName" if named and not certain and one.PatientName != other.PatientName else ""


def _identity(source: Source) -> _Identity:
    keywords = ["SpecificCharacterSet", *_Identity._fields]
    header = pydicom.dcmread(source.path, stop_before_pixels=True, specific_tags=keywords)
    told = [" ".join(str(header.get(keyword) or "").split()) for keyword in _Identity._fields]
    # The alphabetic group, as it compares: case and empty components at its end are habits of senders (PS3.5 6.2.1)
    told[3] = re.sub(r"[ ^]+$", "", told[3].partition("=")[0]).casefold()
    return _Identity(*told)
