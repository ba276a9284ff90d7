"""What a process that another one started owes it."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import select
import signal


def end_with_parent() -> None:
    """Have this process of `multiprocessing` end when the one that started it does, also by SIGKILL.

    The kernel sends SIGIO, which ends it, when the pipe from the parent closes. Neither of the usual ways holds here:
    a thread that waits does not run beside a decoder that keeps the interpreter lock, and PR_SET_PDEATHSIG of Linux
    counts the end of the thread that started the process as that of the parent.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)  # whatever the parent made of it
    pipe = parent.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:  # it closed before
        os._exit(1)


def leave_standard_output() -> None:
    """Let what is printed here, as networks do, go to standard error: results are printed by the parent alone."""
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
