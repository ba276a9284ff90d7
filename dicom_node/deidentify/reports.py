"""Reports: for each study a file with a line for each instance that was written and each that was refused."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from dicom_node.durable import written_to
from dicom_node.errors import StartError

REPORTS = "reports"
"""Folder of the reports, beside the copies."""

# Of which studies it is remembered what their reports name: files come study by study.
_REMEMBERED = 8
# A report is called like its study only where that is a UID (PS3.5 9.1): anything else could lead out of the folder.
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass
class _Read:
    """What was read of a report, and up to where."""

    instances: set[str] = field(default_factory=set)
    size: int = 0


@dataclass
class Reports:
    """The reports in a folder; other processes may write there too.

    Raises
    ------
    StartError
        The folder cannot be made.
    """

    folder: Path
    _read: dict[str, _Read] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Make the folder."""
        self._make()

    def add(self, study: str, line: Mapping[str, object]) -> None:
        """Append a line to the report of a study.

        Raises
        ------
        StartError
            It cannot be written.
        """
        content = (json.dumps({"study": study, **line}) + "\n").encode()
        path = self._path(study)
        self._make()  # a node outlives a folder that somebody moves away
        # In one write, so that lines of two processes do not mix.
        with written_to(path), path.open("a+b", buffering=0) as file:
            if _is_cut(file):
                content = b"\n" + content
            if file.write(content) != len(content):
                raise StartError(f"{path}: the disk is full")

    def names(self, study: str, instance: str) -> bool:
        """Return whether the report of a study has a line of an instance that was written.

        Raises
        ------
        StartError
            The report cannot be read.
        """
        known = self._read.setdefault(study, _Read())
        if instance not in known.instances:
            self._read_on(self._path(study), known)
        while len(self._read) > _REMEMBERED:
            self._read.pop(next(iter(self._read)))
        return instance in known.instances

    def _make(self) -> None:
        with written_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def _read_on(self, path: Path, known: _Read) -> None:
        with written_to(path):
            if not path.exists():
                return
            with path.open("rb") as file:
                file.seek(known.size)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    known.size += len(line)
                    known.instances |= _instance_of(line)

    def _path(self, study: str) -> Path:
        return self.folder / f"{study if _UID.fullmatch(study) else 'unknown'}.jsonl"


def _is_cut(file: FileIO) -> bool:
    """Return whether a full disk or a crash cut the last line short."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _instance_of(line: bytes) -> set[str]:
    try:
        told = json.loads(line)
    except ValueError:
        return set()
    return {told["instance"]} if isinstance(told, dict) and "instance" in told else set()
