"""A confidentiality profile: the Basic Profile and the options that are applied with it (PS3.15 E.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_node.deidentify.table import Row


class Option(StrEnum):
    """Options of PS3.15 E.3."""

    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    RETAIN_UIDS = "retain-uids"
    RETAIN_DEVICE_IDENTITY = "retain-device-identity"
    RETAIN_INSTITUTION_IDENTITY = "retain-institution-identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
    RETAIN_FULL_DATES = "retain-full-dates"
    RETAIN_MODIFIED_DATES = "retain-modified-dates"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"
    CLEAN_PIXEL_DATA = "clean-pixel-data"


# PS3.16 CID 7050, code and meaning; the Basic Profile always stands first.
BASIC = ("113100", "Basic Application Confidentiality Profile")
METHODS = {
    Option.CLEAN_PIXEL_DATA: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.RETAIN_MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: ("113112", "Retain Institution Identity Option"),
}


@dataclass(frozen=True)
class Profile:
    """The Basic Profile under a name, with its options.

    Raises
    ------
    ValueError
        Dates are to be kept both full and modified (PS3.15 E.3.6 has the two exclude each other).
    """

    name: str
    options: frozenset[Option] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= self.options:
            raise ValueError(
                f"{self.name}: retain-full-dates and retain-modified-dates exclude each other (PS3.15 E.3.6)"
            )

    def action(self, row: Row) -> tuple[str, Option | None]:
        """Return the code that applies to a row, and the option that gave it; None is the Basic Profile.

        Notes
        -----
        `C` of the modified dates goes before any `K`: a device's date moves with the others. Else what one option
        retains (`K`) needs no cleaning by another.
        """
        codes = {option: row.options[option] for option in sorted(self.options) if option in row.options}
        if Option.RETAIN_MODIFIED_DATES in codes:
            return codes[Option.RETAIN_MODIFIED_DATES], Option.RETAIN_MODIFIED_DATES
        for wanted in "KC":
            for option, code in codes.items():
                if code == wanted:
                    return code, option
        return row.action, None
