"""What encoders and others write beside the pixels of a compressed frame: comments, application segments, what follows.

References
----------
* ITU-T T.81 (JPEG), B.1.1 and B.2; T.87 (JPEG-LS), C and A.1: segments, and which bytes a scan may contain
* ITU-T T.800 (JPEG 2000), A: main header and tile-part headers
* JFIF 1.02; ITU-T T.872, 6.5.3 (Adobe's segment); ISO/IEC 10918-3, F (SPIFF)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

from dicom_node.deidentify.codestream import Codestream
from dicom_node.deidentify.jpeg_segments import SEGMENTS, JpegSegments, MalformedFrameError
from inference.jpeg_head import END, SCAN

_SOI, _SOC = b"\xff\xd8", b"\xff\x4f"
_J2K_TABLES = frozenset({*range(0x50, 0x54), *range(0x55, 0x64)})
_SOT, _SOD = 0x90, 0x93
_END = re.compile(rb"\xff\xd9")

# What encoders sign with: a name and a version, and nothing else.
_SIGNATURE = re.compile(
    rb"(?:\0[\0\1])?(?:(?:Creator:? |Created (?:by|with) )?(?:GDCM/)?(?:OpenJPEG|OpenJPH|Kakadu|JasPer|Grok|Lavc)"
    rb"|LEAD Technologies Inc\.|MITRA_DICOM_STANDARD|Intel\(R\) JPEG Library)"
    rb"(?:[ ,/_-]?(?:version|ver|v)?\.? ?[0-9][0-9.\-]*)?[ .\0\n]*",
    re.IGNORECASE,
)
_LETTERS = re.compile(rb"[A-Za-z]{3}|[0-9]{4}|[\x80-\xff]{3}")


def is_harmless(content: bytes) -> bool:
    """Return whether a comment is the signature of a known encoder, or too short to name anybody, in UTF-16 too."""
    return _SIGNATURE.fullmatch(content) is not None or _LETTERS.search(content.replace(b"\0", b"")) is None


def comments(fragment: bytes | Codestream) -> Iterator[bytes]:
    """Yield the contents of comments, application segments and whatever else is no part of an image.

    Notes
    -----
    What a decoder needs is left out: JFIF without a thumbnail, the colour transforms of Adobe and JPEG-LS, SPIFF.

    Raises
    ------
    MalformedFrameError
        A JPEG or JPEG-LS frame is not built as its standard says, or a frame has no end.
    """
    stream = fragment if isinstance(fragment, Codestream) else Codestream.of(fragment)
    start = stream.at(0, 2)
    if start == _SOI:
        yield from _jpeg(stream)
    elif start == _SOC:
        yield from _j2k(stream)
    elif stream.is_known:
        yield from _rest(stream, 0)


def _rest(stream: Codestream, position: int) -> Iterator[bytes]:
    # One piece tells: what stands there may be as long as a frame.
    told = (piece for _, piece in stream.pieces(position) if not is_harmless(piece))
    yield from islice(told, 1)


def _jpeg(stream: Codestream) -> Iterator[bytes]:
    position, segments = 2, JpegSegments()
    while (marker := _marker(stream, position)) is not None:
        at, number = marker
        if number == END:
            segments.end()
            yield from _rest(stream, at)
            return
        content = _content(stream, at)
        if content is None:
            break
        position = at + 2 + len(content)
        if number in SEGMENTS:
            segments.take(number, content)
        elif not _is_needed(number, content):
            yield content
        if number == SCAN:
            position = segments.scan_end(stream, position)
    yield from _rest(stream, position)
    raise MalformedFrameError("no end of the image")


def _j2k(stream: Codestream) -> Iterator[bytes]:
    position, part, length = 2, 0, 0
    while (marker := _marker(stream, position)) is not None:
        at, number = marker
        if number == END:
            yield from _rest(stream, at)
            return
        if number == _SOD and length >= at - part:
            position = part + length
            continue
        if number == _SOD:  # a length of zero: up to the end
            position = _found(_END, stream, at)
            continue
        content = _content(stream, at)
        if content is None:
            break
        if number == _SOT and len(content) == 8:
            part, length = at - 2, struct.unpack(">L", content[2:6])[0]
        elif number not in _J2K_TABLES:
            yield content
        position = at + 2 + len(content)
    yield from _rest(stream, position)
    raise MalformedFrameError("no end of the image")


def _marker(stream: Codestream, position: int) -> tuple[int, int] | None:
    """Return where a marker ends and its number; None where none stands."""
    two = stream.at(position, 2)
    while two == b"\xff\xff":  # fill bytes
        position += 1
        two = stream.at(position, 2)
    return (position + 2, two[1]) if len(two) == 2 and two[0] == 0xFF else None


def _content(stream: Codestream, position: int) -> bytes | None:
    """Return the content of a segment; None where the frame ends within it."""
    length = int.from_bytes(stream.at(position, 2), "big")
    content = stream.at(position + 2, length - 2) if length >= 2 else b""
    return content if len(content) == length - 2 else None


def _found(pattern: re.Pattern[bytes], stream: Codestream, position: int) -> int:
    """Return where two bytes stand, the end where nowhere."""
    for start, piece in stream.pieces(position):
        if match := pattern.search(piece):
            return start + match.start()
    return len(stream)


def _is_needed(marker: int, content: bytes) -> bool:
    if marker == 0xE0 and content.startswith(b"JFIF\0"):
        return len(content) == 14 and content[7] <= 2 and content[12:] == b"\0\0"
    if marker == 0xE0 and content.startswith(b"LJIF\0"):  # seen in lossless JPEG
        return len(content) == 13 and content[11:] == b"\0\0"
    if marker == 0xE8:
        return (content.startswith(b"mrfx") and len(content) == 5) or (
            content.startswith(b"SPIFF\0") and len(content) == 30
        )
    return marker == 0xEE and content.startswith(b"Adobe") and len(content) == 12
