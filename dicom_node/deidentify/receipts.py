"""What a de-identified data set says of how it was made (PS3.3 C.12.1.1.1, PS3.15 E.1)."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.deidentify.profile import BASIC, METHODS, Option, Profile
from dicom_node.deidentify.table import load_table
from structured_reports.provenance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_RECEIPTS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


def sign(dataset: Dataset, profile: Profile, *, moved: bool) -> None:
    """Write into a data set by what it was de-identified, over what an earlier run wrote, whatever its VR.

    Parameters
    ----------
    moved
        Whether dates could be moved: those of nobody's data set are removed under any option.
    """
    for keyword in _RECEIPTS:
        if keyword in dataset:
            del dataset[keyword]
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"PS3.15 {load_table().edition} Annex E; profile {profile.name}"[:64]
    codes = [BASIC, *(METHODS[option] for option in METHODS if option in profile.options)]
    dataset.DeidentificationMethodCodeSequence = [_item(*code) for code in codes]
    dataset.LongitudinalTemporalInformationModified = _dates(profile, moved)


def file_meta(dataset: Dataset, source: Dataset) -> FileMetaDataset:
    """Return file meta information made anew: what stood in the source's is not taken, but for the syntax."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(str(dataset.get("SOPClassUID", "")))
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID", "")))
    syntax = getattr(source, "file_meta", {}).get("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.TransferSyntaxUID = UID(str(syntax))
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _dates(profile: Profile, moved: bool) -> str:
    if Option.RETAIN_FULL_DATES in profile.options:
        return "UNMODIFIED"
    return "MODIFIED" if moved else "REMOVED"


def _item(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
