"""How a value could stand in bytes: other letters, without separators, and in each character set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

from dicom_node.deidentify.identifying_values import Kind, Secret

_SHORTEST_NUMBER = 6
_WIDE = ("utf-16-le", "utf-16-be")
# Python has no codec of this name; the bytes are those of GB 2312 after an escape.
_CODECS = {"iso_ir_58": "gb2312"}
# What has no decomposition in Unicode.
_PLAIN = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
_SPELT_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}
# The trailing escape back to ASCII, which does not follow where the text goes on.
_ESCAPE_BACK = b"\x1b(b"
# Latin-1 Supplement, Latin Extended-A and B.
_ACCENTED = [chr(code) for code in range(0xC0, 0x250) if chr(code).isalpha()]


def without_marks(text: str) -> str:
    """Return a text without accents and other marks on its letters."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


def _plain_letter(letter: str) -> str:
    return without_marks(_PLAIN.get(letter.lower(), letter.lower()))


_TO_PLAIN = str.maketrans({letter: _plain_letter(letter) for letter in _ACCENTED})
_TO_SPELT_OUT = _TO_PLAIN | {ord(letter.upper()): pair for letter, pair in _SPELT_OUT.items()}
_TO_SPELT_OUT |= {ord(letter): pair for letter, pair in _SPELT_OUT.items()}
FOLDINGS = (_TO_PLAIN, _TO_SPELT_OUT)


def encodings_of(original: Dataset) -> tuple[str, ...]:
    """Return Python's names of the character sets in which an original's text may have been copied."""
    declared = original.get("SpecificCharacterSet") or []
    terms = [declared] if isinstance(declared, str) else list(declared)
    named = [python_encoding[term] for term in terms if term in python_encoding]
    return tuple(dict.fromkeys(["utf-8", "latin-1", *(_CODECS.get(name, name) for name in named), *_WIDE]))


def spellings(secret: Secret, encodings: tuple[str, ...]) -> list[bytes]:
    """Return each form of a text in lower case, as bytes, once; one in ASCII as ASCII only."""
    text = secret.text
    if text.isascii():
        found = {text.lower().encode("ascii")}
        if secret.kind in {Kind.IDENTIFIER, Kind.ADDRESS}:
            digits = re.sub(r"\D", "", text)
            if len(digits) >= _SHORTEST_NUMBER:
                found.add(digits.encode("ascii"))
        return list(found)
    return list(dict.fromkeys(_encoded(_letters(text), encodings)))


def _encoded(texts: Iterator[str], encodings: tuple[str, ...]) -> Iterator[bytes]:
    for text in dict.fromkeys(texts):
        for encoding in ("ascii",) if text.isascii() else encodings:
            try:
                needle = text.encode(encoding).lower()
            except (UnicodeEncodeError, LookupError):
                continue
            yield needle.removesuffix(_ESCAPE_BACK)


def _letters(text: str) -> Iterator[str]:
    yield text
    if min(map(ord, text)) >= _FIRST_WITHOUT_CASE:
        return
    bare = without_marks(text)
    # Each letter by itself too: ß has no capital of one letter.
    yield from (text.lower(), text.upper(), "".join(one.upper() if len(one.upper()) == 1 else one for one in text))
    yield from (bare, bare.lower(), bare.upper())
    yield from (text.translate(folding) for folding in FOLDINGS)


# From here on Unicode has radicals, kana, ideographs and syllables, which stand without spaces between words.
_FIRST_WITHOUT_CASE = 0x2E80


def is_dense(text: str) -> bool:
    """Return whether a text is of a script in which words stand beside each other without a space."""
    return not text.isascii() and max(map(ord, text)) >= _FIRST_WITHOUT_CASE
