"""De-identification of a data set by PS3.15 Annex E: one pure function that goes through every sequence.

What is not understood is removed: the net under the table is `safety.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom import config
from pydicom.dataset import Dataset

from dicom_node.deidentify.elements import Rules
from dicom_node.deidentify.person import DEVICE, INSTITUTION, Identity, identifier
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.receipts import file_meta, sign
from dicom_node.deidentify.verdicts import Acted
from dicom_node.deidentify.walk import Walk

_SIDES = {"Laterality", "ImageLaterality", "SharedFunctionalGroupsSequence"}


@dataclass(frozen=True)
class Deidentified:
    """A new data set with new file meta information, and each rule that acted, in the order of the attributes."""

    dataset: Dataset
    acted: tuple[Acted, ...]


def deidentify(dataset: Dataset, profile: Profile, pseudonyms: Pseudonyms) -> Deidentified:
    """Return a data set without what identifies the patient; the given one keeps its values.

    Pixel data need not be there, and is not touched where it is: whether it may leave is asked of `pixels.decide`.

    Parameters
    ----------
    dataset
        Of any SOP class, with or without file meta information. A DICOMDIR is none: it is made anew from its files.

    Notes
    -----
    The same data set, profile and key give the same data set. Under the modified dates option a data set without
    Patient ID loses its dates, since nobody knows by how much the dates of its other studies were moved.

    References
    ----------
    * DICOM Standard, Part 15, Annex E, Table E.1-1; C.12.1.1.1 of Part 3 for what is written as a receipt
    """
    with _unspoken():
        return _deidentified(dataset, profile, pseudonyms)


def _deidentified(dataset: Dataset, profile: Profile, pseudonyms: Pseudonyms) -> Deidentified:
    person = identifier(dataset)
    moves = Option.RETAIN_MODIFIED_DATES in profile.options and person
    rules = Rules(
        profile=profile,
        pseudonyms=pseudonyms,
        sop_class=str(dataset.get("SOPClassUID", "")),
        shift=pseudonyms.shift(person) if moves else None,
        identity=Identity.of(dataset, _retained(profile)),
    )
    walk = Walk(rules)
    made = walk.through(dataset)
    if "BodyPartExamined" in dataset and "BodyPartExamined" not in made and not _SIDES & set(made.dir()):
        made.Laterality = ""  # 2C: whether the part is one of a pair is known no more (PS3.3 C.7.3.1)
    made.file_meta = file_meta(made, dataset)
    sign(made, profile, moved=rules.shift is not None)
    return Deidentified(made, tuple(walk.acted))


def _retained(profile: Profile) -> frozenset[str]:
    device = DEVICE if Option.RETAIN_DEVICE_IDENTITY in profile.options else frozenset()
    return device | (INSTITUTION if Option.RETAIN_INSTITUTION_IDENTITY in profile.options else frozenset())


@contextmanager
def _unspoken() -> Iterator[None]:
    """Keep pydicom from quoting the values that it finds invalid, in a warning and in its log."""
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    try:
        yield
    finally:
        config.settings.reading_validation_mode = before
