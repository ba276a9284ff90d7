"""Pools of processes that hand over what is larger than a pipe, and that can be ended whatever they do."""

from __future__ import annotations

import fcntl
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

Given = TypeVar("Given")

# What a user may have without asking: /proc/sys/fs/pipe-max-size of Linux.
PIPE_BYTES = 1 << 20


class NoEndError(Exception):
    """What a process was given to do came to no end in its time."""


def result_within(given: Future[Given], limit_s: float) -> Given:
    """Return the result, or raise what the work raised; a TimeoutError of its own (a network disk's) among that.

    Raises
    ------
    NoEndError
        It came to no end in that time.
    """
    if not wait([given], limit_s).done:
        raise NoEndError
    return given.result()


def widened(pool: ProcessPoolExecutor) -> ProcessPoolExecutor:
    """Return a pool whose results pass in one piece.

    A pipe holds 64 KiB, a film on the grid of a model three times that: each refill wakes both processes, which cost
    the one that owns the network a quarter of a millisecond of each film.
    """
    # Another Python may keep its pipe elsewhere, and a user may have too many wide ones: it is slower then.
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pool._result_queue._reader.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # type: ignore[attr-defined]
    return pool


def end_pool(pool: ProcessPoolExecutor) -> None:
    """End a pool with its processes, also one that comes to no end."""
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
