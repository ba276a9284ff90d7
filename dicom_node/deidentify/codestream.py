"""The compressed bytes of one frame, in the fragments of a file, read where one asks and never as a whole."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import BinaryIO

PIECE = 1 << 16
# JPEG, JPEG-LS, JPEG 2000 and HTJ2K; the numbers between are of video and JPEG XL (PS3.6 A).
_JPEG_FAMILY = "1.2.840.10008.1.2.4."
_NUMBERS = (range(50, 100), range(201, 206))
STARTS = (b"\xff\xd8", b"\xff\x4f")


@dataclass(frozen=True)
class Codestream:
    """Places in a file that make up a frame.

    Attributes
    ----------
    ranges
        Start and length of each fragment.
    is_known
        Whether its transfer syntax says that a JPEG or JPEG 2000 codestream begins here.
    """

    source: BinaryIO
    ranges: tuple[tuple[int, int], ...]
    is_known: bool = False

    @classmethod
    def of(cls, content: bytes) -> Codestream:
        """Return one that lies in memory."""
        return cls(io.BytesIO(content), ((0, len(content)),))

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(length for _, length in self.ranges))

    def __len__(self) -> int:
        return self._ends[-1]

    def at(self, position: int, size: int) -> bytes:
        """Return so many bytes from a position on, fewer at the end."""
        found = []
        for number in range(bisect_right(self._ends, position), len(self.ranges)):
            start, length = self.ranges[number]
            self.source.seek(start + position - (self._ends[number] - length))
            found.append(self.source.read(min(size, self._ends[number] - position)))
            size -= self._ends[number] - position
            position = self._ends[number]
            if size <= 0:
                break
        return b"".join(found)

    def pieces(self, position: int) -> Iterator[tuple[int, bytes]]:
        """Yield the rest in pieces with their positions, each with the first byte of the next."""
        while piece := self.at(position, PIECE + 1):
            yield position, piece
            position += PIECE


def is_jpeg_family(transfer_syntax: str) -> bool:
    """Return whether frames of a transfer syntax start with SOI or SOC."""
    number = transfer_syntax.removeprefix(_JPEG_FAMILY)
    return number != transfer_syntax and number.isdigit() and any(int(number) in numbers for numbers in _NUMBERS)
