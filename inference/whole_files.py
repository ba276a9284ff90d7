"""Files that are there whole or not at all, whenever who writes them ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield where to write a file that takes the place of one when the block ends, and is gone where that fails."""
    part = part_of(path)
    try:
        yield part
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def require_replaceable(path: Path) -> None:
    """Raise OSError where a file cannot be written anew: it is written beside itself, and that is taken away again."""
    part = part_of(path)
    try:
        part.write_bytes(path.read_bytes())
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.part")
