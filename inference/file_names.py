"""Names of files: in lists, of folders, and as they are shown."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from inference.errors import ListError
from inference.folders import Entry, entries_in

BLANKS = " \t\r"
# Controls, and what ends a line or a paragraph.
BREAKING = ("Cc", "Zl", "Zp")
# A list of a thousand names that starts at the wrong folder fills no screen.
MOST_SAID = 5
# Neither does a name that no file can have.
MOST_LETTERS = 1000
# Where standard input and other streams have names; no film lies beside them.
STANDARD_INPUT = Path("/dev/stdin")
STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def as_text(path: Path) -> str:
    r"""Return a name as text: a byte of it that is no UTF-8 as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def on_one_line(path: Path) -> str:
    r"""Return a name as text that breaks no line: a control character, or an end of line, as ``\n``, ``\u2028``."""
    return "".join(
        each.encode("unicode_escape").decode("ascii") if unicodedata.category(each) in BREAKING else each
        for each in as_text(path)
    )


def in_short(path: Path) -> str:
    """Return a name on one line, without its middle where it is long."""
    name, end = on_one_line(path), MOST_LETTERS // 2
    return name if len(name) <= MOST_LETTERS else f"{name[:end]} … {name[-end:]} ({len(name)} characters)"


def named_files(path: Path) -> list[Path]:
    """Return the files that a list names, one a line, in its order.

    A relative name starts at the folder of the list, or at the working directory where the list is a stream.

    Raises
    ------
    ListError
        The list is no text in UTF-8, names nothing, or cannot be read.
    """
    try:
        # As Windows writes it: a mark before the first name is no part of it.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ListError(
            f"{in_short(path)}: line {line} is no UTF-8; a list has one name of a file a line, in UTF-8"
        ) from error
    except OSError as error:
        raise ListError(f"{in_short(path)}: {error.strerror}; a list is a file") from error
    # A name may hold what Unicode calls an end of line; only LF and CR LF end a line of a list.
    lines = [line.strip(BLANKS) for line in text.split("\n")]
    if not any(lines):
        raise ListError(f"{in_short(path)}: empty; a list has one name of a file a line")
    start = Path() if path.parent in STREAMS else path.parent
    return [start / line for line in lines if line]


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return files as `listed`; raises ListError also where a part of a folder is left out."""
    entries = listed(paths)
    require_none([f"{on_one_line(entry.path)}: {entry.fault[1]}" for entry in entries if entry.fault])
    return [entry.path for entry in entries]


def listed(paths: Sequence[Path]) -> list[Entry]:
    """Return files, those of folders in order of their names; what is left out of a folder is among them.

    Raises
    ------
    ListError
        A name leads to no file; each such name is said.
    """
    entries: list[Entry] = []
    faults: list[str] = []
    for path in paths:
        try:
            entries += entries_at(path)
        except ListError as fault:
            faults.append(str(fault))
    require_none(faults)
    return entries


def require_none(faults: Sequence[str]) -> None:
    """Raise ListError for faults of names, of which so many are said as fit on a screen."""
    if faults:
        more = f"; and {len(faults) - MOST_SAID} names more" if len(faults) > MOST_SAID else ""
        raise ListError("; ".join(faults[:MOST_SAID]) + more)


def entries_at(path: Path) -> list[Entry]:
    """Return a file, or what lies in a folder; raises ListError where that is nothing or cannot be known."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:  # ValueError: no name of a file holds NUL
        raise ListError(f"{in_short(path)}: not found ({getattr(error, 'strerror', error)})") from error
    if not is_folder:
        return [Entry(path)]
    entries = entries_in(path)
    if not entries:
        raise ListError(f"{in_short(path)}: a folder without a file")
    if entries[0].path == path and entries[0].fault:
        raise ListError(f"{in_short(path)}: a folder that {entries[0].fault[1]}")
    return entries
