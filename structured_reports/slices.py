"""The slices of a series that a model read as one volume."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Slice:
    """What refers to one slice (PS3.3 10.8, SOP Instance Reference)."""

    sop_class_uid: str
    sop_instance_uid: str

    def reference(self) -> Dataset:
        """Return an item of ReferencedSOPSequence that names the slice."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.sop_class_uid
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        return item


@dataclass(frozen=True)
class Slices:
    """All slices of one series, of which the source of a request is the one that is shown.

    Attributes
    ----------
    instances
        From the first along the normal of the slices to the last.
    shown
        Number of the source among them, from 0.
    begins_at
        Side of the patient at which the first lies: ``feet``.
    position_mm
        Place of the source along the normal, in patient coordinates (PS3.3 C.7.6.2.1.1).
    spacing_mm
        Distance of neighbouring slices.
    is_peak
        True where the source is shown because a map has its maximum there; else it is the middle one.
    """

    instances: tuple[Slice, ...]
    shown: int
    begins_at: str
    position_mm: float
    spacing_mm: float
    is_peak: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.shown < len(self.instances):
            raise ValueError(f"shown: {self.shown}; there are {len(self.instances)} slices")

    @property
    def shown_uid(self) -> str:
        """SOP Instance UID of the source."""
        return self.instances[self.shown].sop_instance_uid

    @property
    def place(self) -> str:
        """Which slice is shown, for people: ``slice 34 of 120 from the feet, at -123.4 mm``."""
        number, all_ = self.shown + 1, len(self.instances)
        return f"slice {number} of {all_} from the {self.begins_at}, at {self.position_mm:.1f} mm"
