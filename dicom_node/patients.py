"""Whether the images of a study are of one patient, so far as their headers say.

A Study Instance UID that two patients share comes of a mistake at the modality, or of a correction that was sent beside
what it corrects: nobody here can know whose result it would be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from dicom_node.errors import is_from_machine
from dicom_node.films import Source
from inference.deflated import read_instance
from inference.projection import text_of
from structured_reports.port import Refusal

SEVERAL = "identity"
"""Reason code of a study with images of several patients."""

_KEYWORDS = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientName")


class _Identity(NamedTuple):
    """Attributes of the Patient Module (PS3.3 C.7.1.1) as they compare, empty where an image does not have them.

    Attributes
    ----------
    name
        Component groups: alphabetic, ideographic, phonetic (PS3.5 6.2.1).
    """

    patient: str
    issuer: str
    birth_date: str
    name: tuple[str, ...]


def several_patients(sources: Sequence[Source]) -> Refusal | None:
    """Return why a study is not read, where its images name several patients; the values are not told.

    What an image does not say, or says in a header that cannot be read, contradicts nobody. One ID with one birth date
    is one patient however the name is written; one ID alone is, where some part of the name is the same.

    Raises
    ------
    OSError, MemoryError
        The disk or the machine, not the instance.
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
    for keyword, mine, others in zip(_KEYWORDS[:3], one[:3], other[:3], strict=True):
        if mine and others and mine != others:
            return keyword
    has_one_id = bool(one.patient) and one.patient == other.patient
    if has_one_id and one.birth_date and one.birth_date == other.birth_date:
        return ""
    # A name in another script is another writing, not another name.
    pairs = [pair for pair in zip(one.name, other.name, strict=False) if all(pair) and _are_of_one_script(*pair)]
    if has_one_id:
        differs = bool(pairs) and not any(_words(mine) & _words(others) for mine, others in pairs)
    else:
        differs = any(mine != others for mine, others in pairs)
    return "PatientName" if differs else ""


def _are_of_one_script(one: str, other: str) -> bool:
    return one.isascii() == other.isascii()


def _words(name: str) -> set[str]:
    return set(re.split(r"[ ^-]+", name))


def _identity(source: Source) -> _Identity:
    try:
        header = read_instance(source.path, stop_before_pixels=True, specific_tags=("SpecificCharacterSet", *_KEYWORDS))
        patient, issuer, birth_date, name = (text_of(header, keyword) for keyword in _KEYWORDS)
    except Exception as error:  # pydicom raises nearly anything on a broken file: it says nothing, then
        if is_from_machine(error):
            raise
        return _Identity("", "", "", ())
    # An issuer may come with a universal ID behind its name (PS3.3 10.14), a date with the points of old (PS3.5 6.2).
    groups = tuple(_plain(group) for group in name.split("="))
    return _Identity(
        " ".join(patient.split()), issuer.partition("&")[0].strip().casefold(), birth_date.replace(".", ""), groups
    )


def _plain(name: str) -> str:
    """Return a name without what senders write in several ways: case, accents, blanks, empty components at its end."""
    letters = (one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return re.sub(r"[ ^]+$", "", " ".join("".join(letters).split())).casefold()
