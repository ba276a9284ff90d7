"""A de-identified file: encoded, and kept whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.dataset import Dataset

from dicom_node.deidentify.refusal import RefusedError
from dicom_node.durable import durable_folder, sync_folder
from dicom_node.errors import StartError

# Of the disk that is written, never of the one that is read.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def encoded(made: Dataset) -> bytes:
    """Return a header as it stands in a file, with an empty preamble.

    Raises
    ------
    RefusedError
        It cannot be encoded.
    """
    buffer = io.BytesIO()
    made.preamble = bytes(128)
    try:
        made.save_as(buffer, enforce_file_format=True)
    except Exception as error:
        raise RefusedError("unwritable", f"what is left cannot be written ({type(error).__name__})") from error
    return buffer.getvalue()


def keep(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Write a file durably under its name, or leave nothing.

    Raises
    ------
    StartError
        The folder cannot be written, or is full.
    OSError
        From `fill`: what it reads.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        durable_folder(path.parent)
        target = part.open("xb")
    except OSError as error:
        raise StartError(f"{error.filename or path.parent}: {error.strerror}") from error
    try:
        with target as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if error.errno in _FULL:
            raise StartError(f"{path.parent}: {error.strerror}") from error
        raise
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def stands(path: Path, fill: Callable[[BinaryIO], None]) -> bool:
    """Return whether a file holds just what would be written."""
    with path.open("rb") as file:
        comparison = _Comparison(file)
        fill(cast(BinaryIO, comparison))
        return comparison.same and not file.read(1)


class _Comparison:
    """Takes what would be written, and compares it with a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.same = file, True

    def write(self, piece: bytes) -> int:
        self.same = self.same and self._file.read(len(piece)) == piece
        return len(piece)
