"""Stable replacements for what identifies, by a key that only the site has."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta

SHORTEST_KEY = 32
"""Bytes of a key, as many as SHA-256 has."""
LONGEST_SHIFT = 3650
"""Days by which dates are moved to the past at most; 1 at least."""


@dataclass(frozen=True)
class Pseudonyms:
    """HMAC-SHA-256 of an identifier under the site's key; each kind of identifier has its own domain.

    The same key gives the same pseudonyms in every process; without it nobody can compute or test one.

    Raises
    ------
    ValueError
        The key is shorter than `SHORTEST_KEY`.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that could be guessed."""
        if len(self.key) < SHORTEST_KEY:
            raise ValueError(f"site key: {len(self.key)} bytes; at least {SHORTEST_KEY} are needed")

    def uid(self, uid: str) -> str:
        """Return the UID that stands for another: 2.25 and 128 bits (PS3.5 B.2), at most 44 characters."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    def person(self, identifier: str) -> str:
        """Return a code of 17 characters that is valid as Patient ID and as Patient's Name."""
        return "P" + self.code("person", identifier, 16)

    def code(self, kind: str, value: str, length: int) -> str:
        """Return a replacement of so many characters, A to Z and 2 to 7 (1 to 48)."""
        return base64.b32encode(self._digest(kind, value)).decode("ascii")[:length]

    def number(self, value: str) -> int:
        """Return the number that stands for one that identifies, 1 to 2^31 - 1, as VR IS has it."""
        return 1 + int.from_bytes(self._digest("number", value.strip())[:8], "big") % (2**31 - 1)

    def shift(self, identifier: str) -> timedelta:
        """Return by how many whole days a person's dates are moved: -1 to -`LONGEST_SHIFT`, never 0."""
        number = int.from_bytes(self._digest("shift", identifier)[:8], "big")
        return timedelta(days=-1 - number % LONGEST_SHIFT)

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.new(
            self.key, kind.encode() + b"\0" + value.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).digest()
