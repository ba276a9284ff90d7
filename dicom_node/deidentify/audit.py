"""A second opinion on what is written: does any identifying value of the original stand in the bytes?

Written without the engine, its table or its pseudonyms, so that a mistake of theirs is not made twice. It does not ask
where a value may stand, but looks for it everywhere: in other cases, character sets and spellings.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_node.deidentify.copies import copies_of
from dicom_node.deidentify.identifying_values import Kind, Secret, secrets_of
from dicom_node.deidentify.numbers_in_bytes import (
    dates_in,
    digits_of,
    months_in,
    number_pattern,
    numbers_of,
    runs_of,
    uids_in,
)
from dicom_node.deidentify.spellings import encodings_of, is_dense, spellings

__all__ = ["Kind", "Leak", "leaks"]

# A shorter text must stand alone to count: ANN is no part of ANNOTATION.
_LONG_TEXT = 8
_DATES = frozenset({Kind.DATE, Kind.BIRTH_DATE})
_NUMBERED = frozenset({Kind.IDENTIFIER, Kind.ADDRESS})


@dataclass(frozen=True)
class Leak:
    """An identifying value of the original that stands in what was written; neither is repeated here.

    Attributes
    ----------
    path
        Attribute of the original, such as `PatientName` or `RequestAttributesSequence[0]/AccessionNumber`.
    offset
        Where it stands, in bytes from the start; near there, where it was found in letters without their accents.
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
    A value counts from three letters or four digits on, a name in Chinese, Japanese or Korean from two; shorter ones
    name nobody and stand everywhere.
    """
    secrets = [secret for secret in secrets_of(original) if secret.kind not in allowed]
    alike: dict[tuple[Kind, str], Secret] = {}
    for secret in secrets:
        alike.setdefault((secret.kind, secret.text), secret)
    search = _Search(tuple(alike.values()), encodings_of(original))
    found: dict[tuple[Kind, str], int] = {}
    for copy in copies_of(written):
        for secret, offset in search.in_(copy.text):
            found.setdefault((secret.kind, secret.text), copy.place(offset))
    at = ((secret, found.get((secret.kind, secret.text))) for secret in secrets)
    return tuple(dict.fromkeys(Leak(secret.path, secret.kind, offset) for secret, offset in at if offset is not None))


class _Search:
    """What is looked for, made once for all copies of what was written."""

    def __init__(self, secrets: tuple[Secret, ...], encodings: tuple[str, ...]) -> None:
        self._dates = [secret for secret in secrets if secret.kind in _DATES]
        self._months = {int(secret.text[4:6]) for secret in self._dates} & set(range(1, 13))
        self._uids = {secret.text.encode("utf-8"): secret for secret in secrets if secret.kind is Kind.UID}
        texts = [secret for secret in secrets if secret.kind not in _DATES and secret.kind is not Kind.UID]
        self._needles = [(needle, secret) for secret in texts for needle in spellings(secret, encodings)]
        self._numbers = [
            (*pattern, secret)
            for secret in texts
            if secret.kind in _NUMBERED and (pattern := number_pattern(secret.text, "Tele" in secret.path))
        ]

    def in_(self, haystack: bytes) -> Iterator[tuple[Secret, int]]:
        """Yield what stands in bytes in lower case, and where."""
        for needle, secret in [pair for pair in self._needles if pair[0] in haystack]:
            if (offset := _position(needle, haystack, secret)) >= 0:
                yield secret, offset
        runs = runs_of(haystack)
        for uid in uids_in(runs) & self._uids.keys():
            yield self._uids[uid], haystack.find(uid)
        yield from self._dates_in(haystack, runs)
        yield from self._numbers_in(haystack, runs)

    def _dates_in(self, haystack: bytes, runs: tuple[bytes, ...]) -> Iterator[tuple[Secret, int]]:
        if not self._dates:
            return
        always = dict(months_in(haystack, self._months))
        for_birth = dict(always)
        for date, written, only_birth in dates_in(runs):
            for_birth.setdefault(date, written)
            if not only_birth:
                always.setdefault(date, written)
        for secret in self._dates:
            place = (for_birth if secret.kind is Kind.BIRTH_DATE else always).get(secret.text[:8])
            if place is not None:
                yield secret, haystack.find(place)

    def _numbers_in(self, haystack: bytes, runs: tuple[bytes, ...]) -> Iterator[tuple[Secret, int]]:
        if not self._numbers:
            return
        numbers = numbers_of(runs)
        digits = digits_of(numbers)
        for plain, pattern, secret in self._numbers:
            if plain in digits and (match := pattern.search(numbers)):
                yield secret, haystack.find(match[0])


def _position(needle: bytes, haystack: bytes, secret: Secret) -> int:
    """Return where a needle stands, -1 if nowhere; alone, where it is short or a number."""
    anywhere = secret.kind is Kind.NAME and (len(needle) >= _LONG_TEXT or is_dense(secret.text))
    position = haystack.find(needle)
    while position >= 0:
        if anywhere:
            return position
        if not (_joins(haystack, position - 1, secret) or _joins(haystack, position + len(needle), secret)):
            return position
        position = haystack.find(needle, position + 1)
    return -1


def _joins(haystack: bytes, position: int, secret: Secret) -> bool:
    if not 0 <= position < len(haystack):
        return False
    neighbour = haystack[position : position + 1]
    return neighbour.isalpha() if secret.kind is Kind.NAME else neighbour.isalnum()
