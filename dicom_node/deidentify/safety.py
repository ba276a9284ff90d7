"""What may stay of an attribute that PS3.15 Table E.1-1 does not name: nothing by default.

The table names what identifies when an attribute is used as it is meant. This net is for the rest: attributes that the
standard does not know, that it has retired, or into which somebody wrote what does not belong there.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_is_retired, dictionary_VM, dictionary_VR

# Command, file meta information, directory (PS3.5 7.1: none of a data set), and what no group may be.
_FOREIGN_GROUPS = frozenset({0x0000, 0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0006, 0x0007, 0xFFFF})
# Answers about tags that are kept at hand: an instance asks for hundreds, always the same.
_CACHED = 16384
_PADDING = 0xFFFCFFFC
_PIXEL_GROUP = 0x7FE0
_OVERLAYS_AND_CURVES = (0x6000, 0x5000)

FREE_TEXT = frozenset({"LT", "ST", "UT", "UR", "AE"})
SHORT_TEXT = frozenset({"LO", "SH", "UC", "CS"})
DATES = frozenset({"DA", "DT", "TM"})
# Outside the table a value of these is never kept; the rule's name says why.
NEVER_OUTSIDE = dict.fromkeys(FREE_TEXT, "free text outside the table") | {
    "PN": "name outside the table",
    "UN": "unknown value representation",
}
# Longest single value of a code string (PS3.5 6.2).
_CODES = re.compile(rb"[A-Z0-9 _]{0,16}(?:\\[A-Z0-9 _]{0,16})*[ \0]?")
_NUMBERS = re.compile(rb"[-+0-9.eE ]{0,17}(?:\\[-+0-9.eE ]{0,17})*[ \0]?")
_AGES = re.compile(rb"(?:[0-9]{3}[DWMY])?(?:\\[0-9]{3}[DWMY])*")
SHAPES = {"CS": _CODES, "DS": _NUMBERS, "IS": _NUMBERS, "AS": _AGES}
SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8, "AT": 4}
NUMBERS = frozenset({*SIZES, "DS", "IS"})
# What writers confuse without harm; any other VR than the dictionary's is not believed.
_SIBLINGS = (frozenset({"LO", "SH", "CS"}), frozenset({"IS", "DS"}), frozenset({"OB", "OW"}))


@lru_cache(maxsize=_CACHED)
def foreign(tag: int) -> str | None:
    """Return why an attribute never belongs into a de-identified data set, or None."""
    group, element = tag >> 16, tag & 0xFFFF
    if group in _FOREIGN_GROUPS or element == 0:
        return "group outside data sets"
    if tag == _PADDING:
        return "trailing padding"
    if group & 0xFF00 in _OVERLAYS_AND_CURVES:
        return "overlay or curve"
    return None


@lru_cache(maxsize=_CACHED)
def unknown(tag: int) -> str | None:
    """Return why a public attribute outside the table is not known well enough to stay, or None."""
    if not dictionary_has_tag(tag):
        return "unknown attribute"
    if dictionary_is_retired(tag) and set(dictionary_VR(tag).split(" or ")) & (FREE_TEXT | SHORT_TEXT | {"PN"}):
        return "retired attribute"
    return None


def misplaced(tag: int, sequence: str | None) -> str | None:
    """Return why an attribute does not belong into an item of a sequence, or None."""
    # An icon or a thumbnail, wherever it hides: nobody decided on its pixels, and nobody blacked them out.
    return "pixels in a sequence" if sequence is not None and tag >> 16 == _PIXEL_GROUP else None


@lru_cache(maxsize=_CACHED)
def believed(tag: int, vr: str | None) -> bool:
    """Return whether the VR of a file is the dictionary's, or close enough; None is that of implicit VR."""
    if vr in {None, "UN"} or not dictionary_has_tag(tag):
        return True
    expected = set(dictionary_VR(tag).split(" or "))
    return vr in expected or any(vr in siblings and expected & siblings for siblings in _SIBLINGS)


@lru_cache(maxsize=_CACHED)
def most_values(tag: int) -> int:
    """Return how many values an attribute has at most, by its VM in PS3.6; a very large number for n."""
    last = dictionary_VM(tag).rpartition("-")[2] if dictionary_has_tag(tag) else "n"
    return int(last) if last.isdigit() else sys.maxsize


def well_formed(tag: int, vr: str, raw: bytes) -> bool:
    """Return whether encoded bytes can be values of an attribute; of VRs that are no numbers and codes nothing is said.

    A number of two bytes that is said to be a thousand long has swallowed what stands behind it.
    """
    if vr in SIZES:
        return len(raw) % SIZES[vr] == 0 and len(raw) <= SIZES[vr] * most_values(tag)
    shape = SHAPES.get(dictionary_VR(tag) if dictionary_has_tag(tag) else vr)
    # What the standard has as a code string is one, whatever VR a writer gave it.
    return shape is None or shape.fullmatch(raw) is not None
