"""Files that are there whole or not at all, whenever who writes them ends."""

from __future__ import annotations

import errno
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
    target = path.resolve()  # a link stays one
    part = part_of(target)
    try:
        try:
            yield part
            sync_file(part)
            if target.exists():
                shutil.copymode(target, part)
            part.replace(target)
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
def gathered(folder: Path, last: str, outdated: str = "") -> Iterator[Path]:
    """Yield an empty folder whose files come into another when the block ends; none of them does where that fails.

    Parameters
    ----------
    last
        The file by which the others are known. It is taken away before any comes, and comes after all: while it is
        there, so are those that belong to it.
    outdated
        Pattern of files that go with the former `last`, whether there are new ones of their names or not.

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
        moved_into(folder, part, last, outdated)
    except OSError as error:
        raise unwritten(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def moved_into(folder: Path, part: Path, last: str, outdated: str) -> None:
    """Move the files of one folder, and of the folders in it, into another; what can fail does before any comes."""
    ready: dict[Path, Path] = {}
    try:
        for each in sorted(part.rglob("*")):
            target = folder / each.relative_to(part)
            if each.is_dir():
                target.mkdir(exist_ok=True)
            else:
                ready[target] = beside(target, each)
        (folder / last).unlink(missing_ok=True)
        for each in folder.glob(outdated) if outdated else ():
            each.unlink()
        for target in sorted(ready, key=lambda each: each == folder / last):
            ready[target].replace(target)
    finally:
        for target in ready:
            part_of(target).unlink(missing_ok=True)


def beside(target: Path, file: Path) -> Path:
    """Return a file, durable, where it has but to be renamed: a folder may lie on another disk."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if file.stat().st_dev != target.parent.stat().st_dev:
        file = Path(shutil.copyfile(file, part_of(target)))
    sync_file(file)
    return file


def require_writable(folder: Path) -> None:
    """Raise OutputError for a folder that takes no file, whether it is there or is to be made; leaves no trace."""
    try:
        if folder.is_symlink():
            folder = folder.resolve(strict=True)  # one that leads nowhere is neither there nor can be made
        with TemporaryFile(dir=next(each for each in (folder, *folder.absolute().parents) if each.exists())) as file:
            file.write(TRIAL)
            file.flush()
    except OSError as error:
        raise unwritten(folder, error) from error


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Not fdatasync: that may pass over a rename which only changed the inode's times.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritten(path: Path, error: OSError) -> OutputError:
    """Return what is said of a file or folder that cannot be written, or of what was to be read for it."""
    other = error.filename if isinstance(error.filename, str) else ""
    if other and not Path(other).is_relative_to(path.parent) and not Path(other).is_relative_to(path.parent.resolve()):
        return OutputError(f"{other}: {error.strerror}")
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")
