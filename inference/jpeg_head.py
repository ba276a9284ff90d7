"""The head of a JPEG without what a decoder may stumble over and need not.

libjpeg tells of the first thing that it stumbles over, and of no other: harmless padding in the head would hide that
the scan behind it is damaged.

References
----------
* ISO/IEC 10918-1 (ITU-T T.81), Annex B: markers and segments
"""

from __future__ import annotations

from collections.abc import Iterator

START, SCAN, END = 0xD8, 0xDA, 0xD9
BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS = range(0xC0, 0xC4)  # SOF0 to SOF3
FRAMES = (BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS)
WITHOUT_SEGMENT = (0x01, *range(0xD0, 0xD8))  # TEM and restarts, which have no place in a head
APPLICATIONS, COMMENT = range(0xE0, 0xF0), 0xFE
JFIF, ADOBE = (0xE0, b"JFIF\0"), (0xEE, b"Adobe")
# Of a sequential scan: first and last coefficient, no approximation (Table B.3). Decoders ignore what stands there.
WHOLE_SPECTRUM = bytes((0, 63, 0))
# Transforms of Adobe by the number of components; the last is what decoders take for one that there is not.
TRANSFORMS = {3: (0, 1), 4: (0, 2)}


class DamageError(Exception):
    """What is wrong with a stream."""


def with_plain_head(stream: bytes) -> bytes:
    """Return a JPEG stream with the same tables, frame and scans, in a head that no decoder finds fault with.

    Left out are padding between segments, comments, and application segments but for two that tell what the components
    are; what decoders ignore is set to what it must be.

    Raises
    ------
    DamageError
        No JPEG, or one without a scan.
    """
    if stream[:2] != bytes((0xFF, START)):
        raise DamageError("no JPEG")
    head = list(segments(stream))
    if not head or head[-1][0] != SCAN:
        raise DamageError("a damaged JPEG (no scan)")
    frame, components = next(((marker, part[5:6]) for marker, _, part in head if marker in FRAMES), (SCAN, b"\0"))
    parts = [
        segment(marker, kept) for marker, _, part in head[:-1] if (kept := plain(marker, part, components)) is not None
    ]
    _, place, scan = head[-1]
    whole = scan[:-3] + WHOLE_SPECTRUM if frame in (BASELINE, EXTENDED) else scan
    return b"".join((stream[:2], *parts, segment(SCAN, whole), stream[place:]))


def segments(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield marker, end and content of each segment of a head, up to the first scan."""
    place, marker = 2, 0
    while marker not in (SCAN, END):
        place = stream.find(b"\xff", place)
        if place < 0 or place + 4 > len(stream):
            return
        marker = stream[place + 1]
        if marker in (0x00, 0xFF, *WITHOUT_SEGMENT):  # no marker, a fill byte before one, or one without segment
            place += 1
            continue
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        yield marker, end, stream[place + 4 : end]
        place = end


def plain(marker: int, content: bytes, components: bytes) -> bytes | None:
    """Return the content of a segment that is kept, None for one that is left out."""
    if (marker, content[:5]) == JFIF:
        return content[:5] + b"\1" + content[6:]  # the one major version that there is
    transforms = TRANSFORMS.get(int.from_bytes(components, "big"))
    if (marker, content[:5]) == ADOBE and transforms and len(content) >= 12:
        return content[:11] + bytes((content[11] if content[11] in transforms else transforms[-1],)) + content[12:]
    return None if marker in APPLICATIONS or marker == COMMENT else content


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
