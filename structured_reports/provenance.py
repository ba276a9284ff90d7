"""How the node marks its results, and knows them again when a router sends them back."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from structured_reports.uids import derived_uid

# The marker is the software, not an installation: results of another node of this kind are not read either,
# or two nodes behind one router would answer each other for ever.
MARKER_MANUFACTURER = "dicom-node project"
MARKER_MODEL_NAME = "dicom-node structured_reports"

IMPLEMENTATION_CLASS_UID = derived_uid("implementation", "dicom-node")  # PS3.7 D.3.3.2
IMPLEMENTATION_VERSION_NAME = "DICOMNODE_0_1"  # at most 16 characters (PS3.7 D.3.3.2.3)


def is_own(dataset: Dataset) -> bool:
    """Return whether this software made the instance, judged by its header alone.

    The rule: an item of ContributingEquipmentSequence (PS3.3 C.12.1.1.5) has Manufacturer and
    ManufacturerModelName equal to the marker. Series numbers and descriptions do not count: others may choose
    the same ones, and a PACS may change them.
    """
    equipment = dataset.get("ContributingEquipmentSequence")
    # A sender may have put anything there; only a sequence can be ours.
    return isinstance(equipment, Sequence) and any(
        item.get("Manufacturer") == MARKER_MANUFACTURER and item.get("ManufacturerModelName") == MARKER_MODEL_NAME
        for item in equipment
    )
