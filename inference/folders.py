"""What lies in a folder: its files, and what else is there and cannot be read, which is named too."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from inference.errors import UNREADABLE

LINK = ("link", "a link to a folder is not followed: what it means is to be named itself")
NO_FILE = ("no-file", "is neither a file nor a folder")


@dataclass(frozen=True)
class Entry:
    """A file of a folder, or what is left out of it.

    Attributes
    ----------
    fault
        Code and sentence where it cannot be read; None for a file.
    """

    path: Path
    fault: tuple[str, str] | None = None


def entries_in(folder: Path) -> list[Entry]:
    """Return what lies in a folder and below it, in the order of the names.

    Links to files are followed. Links to folders are not, and are among the entries with their fault, as are folders
    that cannot be read, the folder itself too.
    """
    entries: list[Entry] = []

    def unreadable(error: OSError) -> None:
        entries.append(Entry(Path(error.filename), cannot_be_read(error)))

    for name, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(name)
        entries += [Entry(here / each, LINK) for each in folders if os.path.islink(here / each)]  # noqa: PTH114 - never raises
        entries += [entry_at(here / each) for each in files]
    return sorted(entries, key=lambda entry: entry.path)


def entry_at(path: Path) -> Entry:
    """Return a file, or with its fault what is none or cannot be looked at."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return Entry(path, cannot_be_read(error))
    # To open a pipe is to wait for who writes into it.
    return Entry(path, None if is_file else NO_FILE)


def cannot_be_read(error: Exception) -> tuple[str, str]:
    """Return code and sentence for what a file or folder raised."""
    return UNREADABLE, f"cannot be read ({type(error).__name__})"
