"""A second opinion on what is written: does any identifying value of the original stand in the bytes?

Written without the engine, its table or its pseudonyms, so that a mistake of theirs is not made twice. It does not ask
where a value may stand, but looks for it everywhere: in other cases, character sets and spellings.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_node.deidentify.identifying_values import Kind, Secret, secrets_of
from dicom_node.deidentify.spellings import encodings_of, spellings

__all__ = ["Kind", "Leak", "leaks"]

# A shorter text must stand alone to count: ANN is no part of ANNOTATION.
_LONG_TEXT = 8


@dataclass(frozen=True)
class Leak:
    """An identifying value of the original that stands in what was written; neither is repeated here.

    Attributes
    ----------
    path
        Attribute of the original, such as `PatientName` or `RequestAttributesSequence[0]/AccessionNumber`.
    offset
        Where it stands, in bytes from the start.
    """

    path: str
    kind: Kind
    offset: int


def leaks(original: Dataset, written: bytes, allowed: AbstractSet[Kind] = frozenset()) -> tuple[Leak, ...]:
    """Return what of an original is still there, none if nothing was found.

    Parameters
    ----------
    original
        With its file meta information and preamble, as far as it has them; pixel data are not looked at.
    written
        Bytes to be searched: a file from its preamble on, without the pixels. In pixels short values stand by chance.
    allowed
        Kinds that the profile retains on purpose.

    Notes
    -----
    A value counts from three letters or four digits on; shorter ones name nobody and stand everywhere.
    """
    encodings = encodings_of(original)
    lower = written.lower()
    found = (_found(secret, lower, encodings) for secret in secrets_of(original) if secret.kind not in allowed)
    return tuple(leak for leak in found if leak is not None)


def _found(secret: Secret, lower: bytes, encodings: tuple[str, ...]) -> Leak | None:
    for needle in spellings(secret, encodings):
        offset = _position(needle, lower, secret.kind)
        if offset >= 0:
            return Leak(secret.path, secret.kind, offset)
    return None


def _position(needle: bytes, haystack: bytes, kind: Kind) -> int:
    """Return where a needle stands, -1 if nowhere; alone, where it is short or a number."""
    position = haystack.find(needle)
    while position >= 0:
        if kind is Kind.NAME and len(needle) >= _LONG_TEXT:
            return position
        if not (_joins(haystack, position - 1, kind) or _joins(haystack, position + len(needle), kind)):
            return position
        position = haystack.find(needle, position + 1)
    return -1


def _joins(haystack: bytes, position: int, kind: Kind) -> bool:
    if not 0 <= position < len(haystack):
        return False
    neighbour = haystack[position : position + 1]
    if kind is Kind.UID:
        return neighbour.isdigit() or neighbour == b"."
    return neighbour.isdigit() if kind in {Kind.DATE, Kind.BIRTH_DATE} else neighbour.isalnum()
