"""The pixel element of a file, copied in pieces: a study's pixels never need to fit into memory.

References
----------
* DICOM Standard, Part 5, 7.1 (data elements) and A.4 (encapsulated pixel data)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from pydicom.dataset import Dataset

from dicom_node.deidentify.codestream import STARTS, Codestream, is_jpeg_family

_PIXEL_TAGS = frozenset({(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)})
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_PIECE = 1 << 20
_LARGEST_TABLE = 1 << 22


class PixelStreamError(Exception):
    """The pixel element ends early or is not built as PS3.5 says."""


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel element's header ends, and how many bytes follow; None where its length is undefined."""

    header: bytes
    length: int | None
    order: str
    transfer_syntax: str = ""
    frames: int = 0


def pixel_element(source: BinaryIO, dataset: Dataset) -> PixelElement | None:
    """Return the pixel element that a file stands at after its header was read; None where there is none.

    Parameters
    ----------
    dataset
        The header, for its encoding: implicit or explicit, little or big endian; and what its frames are encoded in.
    """
    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    start = source.read(8)
    if len(start) < 8 or struct.unpack(order + "HH", start[:4]) not in _PIXEL_TAGS:
        return None
    header = start if implicit else start + exactly(source, 4)
    (length,) = struct.unpack(order + "L", header[-4:])
    meta = getattr(dataset, "file_meta", None) or Dataset()
    syntax, frames = str(meta.get("TransferSyntaxUID", "")), str(dataset.get("NumberOfFrames") or 1)
    return PixelElement(
        header, None if length == _UNDEFINED else length, order, syntax, int(frames) if frames.isdigit() else 0
    )


def copy_pixels(source: BinaryIO, element: PixelElement, target: BinaryIO) -> None:
    """Copy a pixel element, and nothing after it.

    Raises
    ------
    PixelStreamError
        The file ends within it, or something that is no item stands among its items.
    """
    target.write(element.header)
    if element.length is not None:
        copy_bytes(source, target, element.length)
        return
    while True:
        head = exactly(source, 8)
        group, number, length = struct.unpack(element.order + "HHL", head)
        if (group, number) == _DELIMITER:
            target.write(head)
            return
        if (group, number) != _ITEM or length == _UNDEFINED:
            raise PixelStreamError("what is no item stands in the encapsulated pixel data (PS3.5 A.4)")
        target.write(head)
        copy_bytes(source, target, length)


def fragment_heads(source: BinaryIO, element: PixelElement) -> Iterator[Codestream]:
    """Yield the codestream of each frame of compressed pixels; after the last the file stands where it stood.

    Notes
    -----
    The Basic Offset Table comes first, where it is anything else than offsets that ascend from zero: then it tells.
    """
    position = source.tell()
    items = list(_items(source, element))
    if items:
        table = Codestream(source, tuple(items[:1]), is_known=True)
        offsets = _offsets(table, element.order)
        if offsets is None:
            yield table
        yield from _frames(source, items[1:], element, offsets or [])
    source.seek(position)


def _items(source: BinaryIO, element: PixelElement) -> Iterator[tuple[int, int]]:
    position = source.tell()
    while len(head := source.read(8)) == 8:  # `copy_pixels` says where the file ends early
        group, number, length = struct.unpack(element.order + "HHL", head)
        if (group, number) != _ITEM:
            return
        yield position + 8, length
        position += 8 + length
        source.seek(position)


def _offsets(table: Codestream, order: str) -> list[int] | None:
    content = table.at(0, _LARGEST_TABLE)
    if len(content) % 4 or len(content) != len(table):
        return None
    offsets = list(struct.unpack(f"{order}{len(content) // 4}L", content))
    ascends = all(earlier < later for earlier, later in pairwise(offsets))
    return offsets if ascends and (not offsets or offsets[0] == 0) else None


def _frames(
    source: BinaryIO, fragments: list[tuple[int, int]], element: PixelElement, offsets: list[int]
) -> Iterator[Codestream]:
    known = is_jpeg_family(element.transfer_syntax)
    starts = {fragments[0][0] + offset for offset in offsets} if fragments else set()
    ranges: list[tuple[int, int]] = []
    for fragment in fragments:
        source.seek(fragment[0])
        begins = len(fragments) == element.frames or fragment[0] in starts or source.read(2) in STARTS
        if begins and ranges:
            yield Codestream(source, tuple(ranges), known)
            ranges = []
        ranges.append(fragment)
    if ranges:
        yield Codestream(source, tuple(ranges), known)


def skip_pixels(source: BinaryIO, element: PixelElement) -> None:
    """Go past a pixel element."""
    if element.length is not None:
        source.seek(element.length, os.SEEK_CUR)
        return
    while len(head := source.read(8)) == len(element.header[:8]):
        group, number, length = struct.unpack(element.order + "HHL", head)
        if (group, number) != _ITEM:
            return
        source.seek(length, os.SEEK_CUR)


def copy_bytes(source: BinaryIO, target: BinaryIO, length: int) -> None:
    """Copy so many bytes, a piece at a time.

    Raises
    ------
    PixelStreamError
        The file ends before.
    """
    while length:
        piece = source.read(min(length, _PIECE))
        if not piece:
            raise PixelStreamError("the file ends within the pixel data")
        target.write(piece)
        length -= len(piece)


def exactly(source: BinaryIO, length: int) -> bytes:
    """Return so many bytes.

    Raises
    ------
    PixelStreamError
        The file ends before.
    """
    got = source.read(length)
    if len(got) < length:
        raise PixelStreamError("the file ends within the pixel data")
    return got
