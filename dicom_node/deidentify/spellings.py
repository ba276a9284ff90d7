"""How a value could stand in bytes: dates with other separators, numbers without, and each character set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

from dicom_node.deidentify.identifying_values import Kind, Secret

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORTEST_NUMBER = 6


def encodings_of(original: Dataset) -> tuple[str, ...]:
    """Return Python's names of the character sets in which an original's text may have been copied."""
    declared = original.get("SpecificCharacterSet") or []
    terms = [declared] if isinstance(declared, str) else list(declared)
    named = [python_encoding[term] for term in terms if term in python_encoding]
    return tuple(dict.fromkeys(["utf-8", "latin-1", *named, "utf-16-le", "utf-16-be"]))


def spellings(secret: Secret, encodings: tuple[str, ...]) -> Iterator[bytes]:
    """Yield each form of a value in lower case, as bytes."""
    seen: set[bytes] = set()
    for text in _texts(secret):
        for encoding in encodings:
            try:
                needle = text.encode(encoding).lower()
            except (UnicodeEncodeError, LookupError):
                continue
            if needle not in seen:
                seen.add(needle)
                yield needle


def _texts(secret: Secret) -> Iterator[str]:
    text = secret.text
    if secret.kind in {Kind.DATE, Kind.BIRTH_DATE}:
        yield from _dates(text[:4], text[4:6], text[6:8])
        return
    yield text
    if text.isascii():
        if secret.kind in {Kind.IDENTIFIER, Kind.ADDRESS}:
            yield from _digits(text)
        return
    # Each letter by itself too: ß has no capital of one letter.
    yield from (
        text.lower(),
        text.upper(),
        "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text),
    )
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    if len(plain) >= len(text) - 1:
        yield plain


def _digits(text: str) -> Iterator[str]:
    digits = re.sub(r"\D", "", text)
    if len(digits) >= _SHORTEST_NUMBER and digits != text:
        yield digits


def _dates(year: str, month: str, day: str) -> Iterator[str]:
    yield year + month + day
    for mark in "-./":
        yield f"{year}{mark}{month}{mark}{day}"
        yield f"{day}{mark}{month}{mark}{year}"
        yield f"{month}{mark}{day}{mark}{year}"
    if month.isdigit() and 1 <= int(month) <= len(_MONTHS):
        name = _MONTHS[int(month) - 1]
        for mark in " -":
            yield f"{day}{mark}{name}{mark}{year}"
        yield f"{name} {day}, {year}"
