"""Writes that survive a power cut."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_node.errors import StartError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def durable_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power cut."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def durable_write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; it is durable when this returns."""
    durable_folder(path.parent)
    # A name of its own: two writers of one file must not write into each other's.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Raise StartError where the block cannot write a file or folder."""
    try:
        yield
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
