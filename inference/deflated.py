"""Data sets that were deflated, inflated no further than they are read and an image has bytes.

Ten megabytes may inflate to ten thousand, and pydicom inflates all of them before it looks at the first.

References
----------
* DICOM Standard, Part 5, A.5 (Deflated Explicit VR Little Endian)
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from inference.errors import UnsuitableFilmError
from inference.image_pixel import MOST_PIXELS

# What stands before the pixels: an icon, overlays, a profile of colours.
MOST_HEADER_BYTES = 64_000_000
# Of 32 bits a pixel.
MOST_BYTES = 4 * MOST_PIXELS + MOST_HEADER_BYTES
PIECE = 1 << 20


class Inflated(BytesIO):
    """A file whose data set is inflated as far as it is read.

    Reading raises UnsuitableFilmError beyond the limit (`pixels`), and zlib.error where the data set is damaged or ends
    early.

    Parameters
    ----------
    head
        What stands before the data set.
    packed
        Stands at the deflated data set.
    most
        Bytes that head and data set may have.
    """

    def __init__(self, head: bytes, packed: BinaryIO, most: int) -> None:
        super().__init__(head)
        self._packed, self._most, self._length = packed, most, len(head)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, all that follow where it is -1."""
        self._inflate(math.inf if size is None or size < 0 else self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place; only the end has to be inflated for."""
        if whence == os.SEEK_END:
            self._inflate(math.inf)
        return super().seek(offset, whence)

    def _inflate(self, until: float) -> None:
        here = self.tell()
        while self._length < until and (piece := self._piece()):
            super().seek(self._length)
            self._length += self.write(piece)
            if self._length > self._most:
                reason = f"data set: more than {self._most} bytes when inflated; of an image so large nothing is read"
                raise UnsuitableFilmError("pixels", reason)
        super().seek(here)

    def _piece(self) -> bytes:
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._packed.read(PIECE)
            if piece := self._inflater.decompress(packed, PIECE):
                return piece
            if not packed:
                raise zlib.error("incomplete or truncated stream")
        return b""


def read_instance(
    source: Path | BinaryIO, *, stop_before_pixels: bool = False, force: bool = False, specific_tags: Sequence[str] = ()
) -> Dataset:
    """Return what `pydicom.dcmread` does.

    Raises
    ------
    UnsuitableFilmError
        It inflates to more than an image has bytes, or its header to more than one has (`pixels`).
    Exception
        Whatever pydicom and zlib raise at what is no DICOM.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return read_instance(
                opened, stop_before_pixels=stop_before_pixels, force=force, specific_tags=specific_tags
            )
    file = undeflated(source, MOST_HEADER_BYTES if stop_before_pixels else MOST_BYTES)
    dataset = dcmread(
        file, stop_before_pixels=stop_before_pixels, force=force, specific_tags=list(specific_tags) or None
    )
    if isinstance(file, Inflated):
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return dataset


def undeflated(source: BinaryIO, most: int) -> BinaryIO:
    """Return a file as it is, or one in Explicit VR Little Endian for one that is deflated; it stands at its start."""
    source.seek(0)
    read_preamble(source, force=True)
    meta = read_dataset(source, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        source.seek(0)
        return source
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head = DicomBytesIO()
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, FileMetaDataset(meta), enforce_standard=False)
    return cast(BinaryIO, Inflated(head.getvalue(), source, most))
