"""What can go wrong in the node, split by what the caller does about it.

::

    NodeError
    ├── SettingsError          stop: the node does not start
    ├── StartError             stop: a port, a lock or a folder cannot be had
    ├── ModelUnavailableError  wait: what needs the model is read when it can be used again
    ├── NotAnInstanceError     refuse: C-STORE fails with 0xC000 or 0xA900
    ├── UnknownStudyError      tell the operator
    └── NothingToDoError       tell the operator
"""

from __future__ import annotations

import os


def disk_fault(error: BaseException | None) -> str:
    """Return what the system says of a disk that failed, which names no file; empty where it was not the disk.

    Only the system's error has a number: pydicom and Pillow raise an OSError without one at a broken stream.
    """
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno is not None else ""


def is_from_disk(error: Exception) -> bool:
    """Return whether the disk failed, not what was read from it."""
    return bool(disk_fault(error))


def is_from_machine(error: Exception) -> bool:
    """Return whether disk or memory failed, not what was read."""
    return is_from_disk(error) or isinstance(error, MemoryError)


class NodeError(Exception):
    """Any error of the node that has a message for people."""


class SettingsError(NodeError):
    """The configuration is wrong; the message lists every fault."""


class StartError(NodeError):
    """Something that the node needs to start cannot be had."""


class ModelUnavailableError(NodeError):
    """A model cannot be used now; the message names it and the fault."""


class NotAnInstanceError(NodeError):
    """What arrived is not an instance that can be kept.

    Attributes
    ----------
    status
        DIMSE status of the failed C-STORE (PS3.4 B.2.3).
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnknownStudyError(NodeError):
    """No study of that UID or key is known, or it is not known which is meant."""


class NothingToDoError(NodeError):
    """What an operator asked for has no object; the message says which one is missing."""
