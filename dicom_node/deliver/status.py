"""What a C-STORE status means for the delivery (PS3.4 Table B.2-1, PS3.7 Annex C)."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What becomes of the object."""

    TAKEN = "taken"
    TAKEN_WITH_WARNING = "taken with warning"
    LATER = "later"
    NEVER = "never"


_BY_STATUS = {
    0x0000: (Verdict.TAKEN, "success"),
    0x0107: (Verdict.TAKEN_WITH_WARNING, "attribute list error (PS3.7 Annex C)"),
    0x0111: (Verdict.TAKEN_WITH_WARNING, "duplicate SOP instance: it was there already (PS3.7 Annex C)"),
    0x0116: (Verdict.TAKEN_WITH_WARNING, "attribute value out of range (PS3.7 Annex C)"),
    0xB000: (Verdict.TAKEN_WITH_WARNING, "coercion of data elements (PS3.4 B.2.3)"),
    0xB006: (Verdict.TAKEN_WITH_WARNING, "elements discarded (PS3.4 B.2.3)"),
    0xB007: (Verdict.TAKEN_WITH_WARNING, "data set does not match SOP class (PS3.4 B.2.3)"),
    0x0110: (Verdict.LATER, "processing failure (PS3.7 Annex C)"),
    0x0213: (Verdict.LATER, "resource limitation (PS3.7 Annex C)"),
    0x0117: (Verdict.NEVER, "invalid SOP instance UID (PS3.7 Annex C)"),
    0x0122: (Verdict.NEVER, "SOP class not supported (PS3.7 Annex C)"),
    0x0124: (Verdict.NEVER, "not authorized (PS3.7 Annex C)"),
}

_BY_FIRST_OCTET = {
    0xA7: (Verdict.LATER, "out of resources (PS3.4 B.2.3)"),
    0xA9: (Verdict.NEVER, "data set does not match SOP class (PS3.4 B.2.3)"),
}

_BY_FIRST_DIGIT = {
    0xB: (Verdict.TAKEN_WITH_WARNING, "a warning of the peer's own (PS3.7 Annex C)"),
    0xC: (Verdict.NEVER, "cannot understand (PS3.4 B.2.3)"),
}


def codes(wanted: Verdict) -> list[str]:
    """Return the statuses of a verdict as PS3.4 writes them: hexadecimal, an x for any digit."""
    tables = ((_BY_STATUS, "{:04X}"), (_BY_FIRST_OCTET, "{:02X}xx"), (_BY_FIRST_DIGIT, "{:01X}xxx"))
    return [form.format(code) for table, form in tables for code, (one, _) in table.items() if one is wanted]


def verdict(status: int) -> tuple[Verdict, str]:
    """Return what a status means for the object, and its meaning in words."""
    return (
        _BY_STATUS.get(status)
        or _BY_FIRST_OCTET.get(status >> 8)
        or _BY_FIRST_DIGIT.get(status >> 12)
        or (Verdict.NEVER, "no status of the storage service (PS3.4 B.2.3)")
    )
