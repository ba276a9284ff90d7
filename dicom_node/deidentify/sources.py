"""What a collection is made of: files, and members of ZIP files. What cannot be read is named."""

from __future__ import annotations

import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pydicom

from dicom_node.deidentify.refusal import RefusedError
from inference.folders import Entry, cannot_be_read, entries_in, entry_at
from inference.projection import text_of

_IN_MEMORY = 16 << 20
# What `zipfile` and its codecs raise at a damaged archive; RuntimeError is a member under a password.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A file, or a member of a ZIP file.

    Attributes
    ----------
    fault
        Code and sentence where it is known already that it cannot be read.
    """

    path: Path
    member: str | None = None
    fault: tuple[str, str] | None = None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open it, seekable.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        if self.fault is not None:
            raise RefusedError(*self.fault)
        if self.member is None:
            with _opened(self.path) as file:
                yield file
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as unpacked:
            _unpack(self.path, self.member, cast(BinaryIO, unpacked))
            yield cast(BinaryIO, unpacked)


def files_in(source: Path) -> list[Found]:
    """Return every file of a file, folder, ZIP file or DICOMDIR, in the order of their names.

    What is there but cannot be read, and links to folders, which are not followed, are among them with their fault.
    """
    source = source_of(source)
    entries = entries_in(source) if source.is_dir() else [entry_at(source)]
    return [found for entry in entries for found in _looked_at(entry)]


def source_of(path: Path) -> Path:
    """Return the folder that a DICOMDIR stands for: it has the files, whether they are listed or not."""
    return path.parent if path.name.upper() == "DICOMDIR" else path


def absent_files(directory: Path) -> tuple[int, int]:
    """Return how many files are absent that a DICOMDIR names, and how many it names.

    References
    ----------
    * DICOM Standard, Part 3, F.3.2.2 (Referenced File ID)
    """
    records = pydicom.dcmread(directory).get("DirectoryRecordSequence") or ()
    named = {text_of(one, "ReferencedFileID") for one in records} - {""}
    absent = [one for one in named if not directory.parent.joinpath(*one.split("\\")).is_file()]
    return len(absent), len(named)


def _looked_at(entry: Entry) -> Iterator[Found]:
    if entry.fault is None and zipfile.is_zipfile(entry.path):
        yield from _members(entry.path)
    else:
        yield Found(entry.path, fault=entry.fault)


def _members(path: Path) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
    except _DAMAGED as error:
        yield Found(path, fault=cannot_be_read(error))
        return
    yield from (Found(path, member) for member in members)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RefusedError(*cannot_be_read(error)) from error


def _unpack(path: Path, member: str, file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            while piece := packed.read(1 << 20):
                file.write(piece)
    except _DAMAGED as error:
        raise RefusedError(*cannot_be_read(error)) from error
    file.seek(0)
