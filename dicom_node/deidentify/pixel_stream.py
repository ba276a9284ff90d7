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
from typing import BinaryIO

from pydicom.dataset import Dataset

_PIXEL_TAGS = frozenset({(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)})
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_PIECE = 1 << 20


class PixelStreamError(Exception):
    """The pixel element ends early or is not built as PS3.5 says."""


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel element's header ends, and how many bytes follow; None where its length is undefined."""

    header: bytes
    length: int | None
    order: str


def pixel_element(source: BinaryIO, dataset: Dataset) -> PixelElement | None:
    """Return the pixel element that a file stands at after its header was read; None where there is none.

    Parameters
    ----------
    dataset
        The header, for its encoding: implicit or explicit, little or big endian.
    """
    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    start = source.read(8)
    if len(start) < 8 or struct.unpack(order + "HH", start[:4]) not in _PIXEL_TAGS:
        return None
    header = start if implicit else start + exactly(source, 4)
    (length,) = struct.unpack(order + "L", header[-4:])
    return PixelElement(header, None if length == _UNDEFINED else length, order)


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


def fragment_heads(source: BinaryIO, element: PixelElement, size: int = 1 << 16) -> Iterator[bytes]:
    """Yield the beginning of each fragment of compressed pixels; after the last the file stands where it stood."""
    position = source.tell()
    while True:
        head = source.read(8)
        if len(head) < 8:
            break  # `copy_pixels` says that the file ends early
        group, number, length = struct.unpack(element.order + "HHL", head)
        if (group, number) != _ITEM:
            break
        yield source.read(min(length, size))
        source.seek(max(length - size, 0), os.SEEK_CUR)
    source.seek(position)


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
