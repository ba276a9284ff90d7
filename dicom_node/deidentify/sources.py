"""What a collection is made of: files, and members of ZIP files. What cannot be read is named."""

from __future__ import annotations

import lzma
import os
import stat
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
from inference.projection import text_of

_IN_MEMORY = 16 << 20
# What `zipfile` and its codecs raise at a damaged archive; RuntimeError is a member under a password.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError,
)  # fmt: skip

_LINK = ("link", "a link to a folder is not followed: what it means is to be named itself")
_NO_FILE = ("no-file", "is neither a file nor a folder")


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
    if not source.is_dir():
        return list(_looked_at(source))
    found: list[Found] = []

    def unreadable(error: OSError) -> None:
        found.append(Found(Path(error.filename), fault=_unreadable(error)))

    for name, folders, files in os.walk(source, onerror=unreadable):
        here = Path(name)
        found += [Found(here / one, fault=_LINK) for one in folders if (here / one).is_symlink()]
        found += [each for one in files for each in _looked_at(here / one)]
    return sorted(found, key=lambda one: one.path)


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


def _looked_at(path: Path) -> Iterator[Found]:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        yield Found(path, fault=_unreadable(error))
        return
    if not is_file:
        yield Found(path, fault=_NO_FILE)  # to open a pipe is to wait for who writes into it
        return
    if zipfile.is_zipfile(path):
        yield from _members(path)
    else:
        yield Found(path)


def _members(path: Path) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
    except _DAMAGED as error:
        yield Found(path, fault=_unreadable(error))
        return
    yield from (Found(path, member) for member in members)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RefusedError(*_unreadable(error)) from error


def _unpack(path: Path, member: str, file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            while piece := packed.read(1 << 20):
                file.write(piece)
    except _DAMAGED as error:
        raise RefusedError(*_unreadable(error)) from error
    file.seek(0)


def _unreadable(error: Exception) -> tuple[str, str]:
    return "unreadable", f"cannot be read ({type(error).__name__})"
