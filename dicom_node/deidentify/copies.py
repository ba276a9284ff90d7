"""Copies of bytes in which letters stand as they are looked for: in lower case, of one byte each, without accents."""

from __future__ import annotations

import bisect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from dicom_node.deidentify.spellings import FOLDINGS

# Latin text in UTF-16, either way round: every second byte is zero. It starts with one, which is found fast.
_LOOKS_WIDE = re.compile(rb"\0[0-9a-z]\0[ -~]\0[ -~]")
_WIDE = re.compile(rb"[ -~\xa0-\xff](?:\0[ -~\xa0-\xff]){2,}")
# A letter of two bytes in UTF-8, or one of Latin-1, beside others.
_ACCENTED = re.compile(rb"[\xc0-\xfd](?:(?<=[a-z].)|[a-z\x80-\xbf][a-z\x80-\xff])", re.DOTALL)
_STRETCH = re.compile(rb"[\t-\r -~\x80-\xff]{3,}")


@dataclass(frozen=True)
class Copy:
    """Bytes that are searched: the whole, or stretches of it one after the other.

    Attributes
    ----------
    starts
        Of each stretch: its place in `text`, and its place in what was written.
    """

    text: bytes
    starts: tuple[tuple[int, int], ...] = ((0, 0),)

    def place(self, offset: int) -> int:
        """Return where a find stands in what was written; in a stretch with accents a few bytes off."""
        here, there = self.starts[bisect.bisect_right(self.starts, (offset, sys.maxsize)) - 1]
        return there + offset - here


def copies_of(written: bytes) -> Iterator[Copy]:
    """Yield bytes in lower case, and where there is text that reads otherwise, copies of that."""
    lower = written.lower()
    yield Copy(lower)
    if _LOOKS_WIDE.search(lower):
        # As long as before, so that places stay.
        lower = _WIDE.sub(lambda match: match[0][::2].ljust(len(match[0]), b"\0"), lower)
        yield Copy(lower)
    if _ACCENTED.search(lower):
        stretches = [match for match in _STRETCH.finditer(lower) if _ACCENTED.search(match[0])]
        for encoding in ("utf-8", "latin-1"):
            for folding in FOLDINGS:
                yield _folded(stretches, encoding, folding)


def _folded(stretches: list[re.Match[bytes]], encoding: str, folding: dict[int, str]) -> Copy:
    text, starts = bytearray(), []
    for stretch in stretches:
        starts.append((len(text), stretch.start()))
        text += stretch[0].decode(encoding, "replace").translate(folding).encode("ascii", "replace") + b"\0"
    return Copy(bytes(text), tuple(starts))
