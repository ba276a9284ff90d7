"""Children that do not outlive their parent, however it dies."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(expected: int | None = None) -> None:
    """Have the kernel kill this process when its parent dies, also by SIGKILL; Linux only.

    Parameters
    ----------
    expected
        Process id of the parent, where it is known: a parent that died before this call is noticed by it.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if expected is not None and os.getppid() != expected:
        os._exit(1)
