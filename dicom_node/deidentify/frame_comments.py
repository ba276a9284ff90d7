"""What encoders and others write beside the pixels of a compressed frame: comments and application segments.

References
----------
* ITU-T T.81 (JPEG), B.2.4; T.87 (JPEG-LS), C: COM and APPn before the first scan
* ITU-T T.800 (JPEG 2000), A.9.2: COM in the main header
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_SOI, _SOC = b"\xff\xd8", b"\xff\x4f"
_COM, _SOS, _EOI = 0xFE, 0xDA, 0xD9
_J2K_COM, _SOT = 0x64, 0x90
_APPLICATION = range(0xE0, 0xF0)
# JFIF and its kin, the colour transform of JPEG-LS, Adobe's: numbers that a decoder needs, in so many bytes.
_NEEDED = {0xE0: (b"JFIF\0", b"LJIF\0"), 0xE8: (b"mrfx", b"SPIFF\0"), 0xEE: (b"Adobe",)}
_LONGEST_NEEDED = 32


# What encoders sign with: a name and a version, and nothing else.
_SIGNATURE = re.compile(
    rb"(?:\0[\0\1])?(?:(?:Creator:? |Created (?:by|with) )?(?:GDCM/)?(?:OpenJPEG|OpenJPH|Kakadu|JasPer|Grok|Lavc)"
    rb"|LEAD Technologies Inc\.|MITRA_DICOM_STANDARD|Intel\(R\) JPEG Library)"
    rb"(?:[ ,/_-]?(?:version|ver|v)?\.? ?[0-9][0-9.\-]*)?[ .\0\n]*",
    re.IGNORECASE,
)
_LETTERS = re.compile(rb"[A-Za-z]{3}|[0-9]{4}|[\x80-\xff]{3}")


def is_harmless(content: bytes) -> bool:
    """Return whether a comment is the signature of a known encoder, or too short to name anybody."""
    return _SIGNATURE.fullmatch(content) is not None or _LETTERS.search(content) is None


def comments(fragment: bytes) -> Iterator[bytes]:
    """Yield the contents of comments and application segments at the start of a codestream, as far as it is given."""
    if fragment.startswith(_SOI):
        told, last = {_COM, *_APPLICATION}, {_SOS, _EOI}
    elif fragment.startswith(_SOC):
        told, last = {_J2K_COM}, {_SOT}
    else:
        return
    for marker, content in _segments(fragment, last):
        needed = len(content) <= _LONGEST_NEEDED and content.startswith(_NEEDED.get(marker, ()))
        if marker in told and not needed:
            yield content


def _segments(fragment: bytes, last: set[int]) -> Iterator[tuple[int, bytes]]:
    position = 2
    while position + 4 <= len(fragment) and fragment[position] == 0xFF:
        marker = fragment[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in last:
            return
        (length,) = struct.unpack(">H", fragment[position + 2 : position + 4])
        yield marker, fragment[position + 4 : position + 2 + length]
        position += 2 + length
