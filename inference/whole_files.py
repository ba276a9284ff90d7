"""Files that are there whole or not at all, whenever who writes them ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from inference.errors import OutputError

TRIAL = bytes(4096)  # a block: a disk that is full takes a file without one


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield where to write a file that takes the place of one when the block ends, and is gone where that fails.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    part = part_of(path)
    try:
        try:
            yield part
            synced(part)
            if path.exists():
                shutil.copymode(path, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritten(path, error) from error


def require_replaceable(path: Path) -> None:
    """Raise OutputError where a file cannot be written anew: it is written beside itself, and that is taken away."""
    part = part_of(path)
    try:
        part.write_bytes(path.read_bytes())
        part.unlink()
    except OSError as error:
        if part.is_file():
            part.unlink()
        raise unwritten(path, error) from error


def part_of(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def gathered(folder: Path, last: str) -> Iterator[Path]:
    """Yield an empty folder whose files come into another when the block ends; none of them does where that fails.

    Parameters
    ----------
    last
        The file by which the others are known. It is taken away before any comes, and comes after all: while it is
        there, so are those that belong to it.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    part = folder / f".{last}.parts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
        part.mkdir()
        yield part
        moved_into(folder, part, last)
    except OSError as error:
        raise unwritten(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def moved_into(folder: Path, part: Path, last: str) -> None:
    """Move the files of one folder, and of the folders in it, into another."""
    entries = sorted(part.rglob("*"))
    files = [each for each in entries if each.is_file()]
    files.sort(key=lambda file: file == part / last)
    for each in files:
        synced(each)
    (folder / last).unlink(missing_ok=True)
    for each in entries:
        if each.is_dir():
            (folder / each.relative_to(part)).mkdir(exist_ok=True)
    for each in files:
        each.replace(folder / each.relative_to(part))


def require_writable(folder: Path) -> None:
    """Raise OutputError for a folder that takes no file, whether it is there or is to be made; leaves no trace."""
    try:
        with TemporaryFile(dir=next(each for each in (folder, *folder.absolute().parents) if each.exists())) as file:
            file.write(TRIAL)
            file.flush()
    except OSError as error:
        raise unwritten(folder, error) from error


def synced(path: Path) -> None:
    """Make the bytes of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritten(path: Path, error: OSError) -> OutputError:
    """Return what is said of a file or folder that cannot be written."""
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")
