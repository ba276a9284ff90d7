"""Whether a coded concept can be one: its scheme, the form of its value, and its meaning where DICOM gives it.

No terminology is shipped. What is known of it: the concepts of the context groups of PS3.16, which pydicom carries, and
the check digits that SNOMED CT and LOINC put into their identifiers.

References
----------
* DICOM Standard, Part 16, Chapter 8, Table 8-1 (coding schemes); Part 3, 8.2 (private schemes begin with 99)
* SNOMED International, Technical Implementation Guide, 6.4 (SCTID); Regenstrief Institute, LOINC Users' Guide, A
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

# The public names of pydicom find a concept by its keyword only, not by its value.
from pydicom.sr._concepts_dict import concepts as dictionary

# Scheme to keyword to value to meaning and context groups.
concepts: Mapping[str, Mapping[str, Mapping[str, tuple[str, list[int]]]]] = dictionary  # type: ignore[assignment]
# Designators of Table 8-1 beside those whose concepts pydicom carries.
OTHER_SCHEMES = frozenset({
    "99SDM", "ACR", "ASTM-sigpurpose", "BI", "C4", "C5", "CD2", "CTCAE", "CTV3", "DC", "DCMUID", "HPC", "I10C",
    "I10P", "I11", "I9", "I9C", "ICDO3", "IETF4646", "IHERADTF", "ISO3166_1", "ISO5218_1", "ISO639_1", "ISO639_2",
    "ISO_OID", "MA", "MAYOASRG", "MDNS", "MGI", "NBD", "NBG", "NCDR", "NICIP", "NPI", "NYUMCCG", "OPCS-4",
    "PATHLEX", "POS", "RADELEMENT", "RFC-3881", "RFC3066", "RFC5646", "RO", "RRID", "SCPECG", "SNM3", "SRT",
    "UBERON", "UNS", "UPC", "caDSR",
})  # fmt: skip
SEMANTIC_TAG = re.compile(r" \([a-z/ ]+\)$")  # "Thoracic structure (body structure)"


def fault_of_code(value: str, scheme: str, meaning: str) -> str | None:
    """Return what is wrong with a coded concept, None if nothing is known against it."""
    if scheme not in concepts and scheme not in OTHER_SCHEMES and not scheme.startswith("99"):
        return f"{scheme!r} is no coding scheme of PS3.16 Table 8-1, and no private one, which begins with 99"
    known = meanings_of(scheme).get(value)
    if known is not None:
        told = " or ".join(sorted(known))
        return None if bare(meaning) in map(bare, known) else f"{value} of {scheme} means {told}, not {meaning}"
    if scheme == "DCM":
        return f"{value} is no concept of DCM (PS3.16 Annex D)"
    if scheme in FORMS and not FORMS[scheme](value):
        return f"{value} is no identifier of {scheme}: its check digit is wrong"
    return None


def bare(meaning: str) -> str:
    """Return a meaning without what writers vary: case, punctuation, semantic tag."""
    return re.sub(r"[^a-z0-9]", "", SEMANTIC_TAG.sub("", meaning).casefold())


@cache
def meanings_of(scheme: str) -> Mapping[str, set[str]]:
    """Return the meanings of each value that DICOM uses of a scheme."""
    found: dict[str, set[str]] = {}
    for entries in concepts.get(scheme, {}).values():
        for value, (meaning, _) in entries.items():
            found.setdefault(value, set()).add(meaning)
    return found


def is_sctid(value: str) -> bool:
    """True for 6 to 18 digits whose last is the check digit of Verhoeff over the dihedral group of order ten."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", value):
        return False
    check = 0
    for place, digit in enumerate(reversed(value)):
        check = dihedral_product(check, permuted(int(digit), place % 8))
    return check == 0


def dihedral_product(first: int, second: int) -> int:
    """Return the product of two symmetries of a pentagon: 0 to 4 are turns, 5 to 9 reflections."""
    sign = 1 if first < 5 else -1
    turn = (first + sign * second) % 5
    return turn if (first < 5) == (second < 5) else turn + 5


def permuted(digit: int, times: int) -> int:
    """Return a digit after a number of Verhoeff's permutation."""
    for _ in range(times):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


def is_loinc(value: str) -> bool:
    """True for digits, a dash, and their check digit modulo ten (Luhn)."""
    match = re.fullmatch(r"([0-9]{1,7})-([0-9])", value)
    if not match:
        return value.startswith(("LA", "LP"))  # answers and parts
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in match[1][::-1][::2])
    return (sum(doubled) + sum(map(int, match[1][::-1][1::2])) + int(match[2])) % 10 == 0


FORMS: Mapping[str, Callable[[str], bool]] = {"SCT": is_sctid, "LN": is_loinc}
