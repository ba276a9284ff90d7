"""What pools of processes hand over, and that they end."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest

from inference.isolation import new_pool
from inference.pools import PIPE_BYTES, end_pool, widened


def test_a_result_of_a_pool_passes_in_one_piece() -> None:
    pool = new_pool()
    try:
        assert PIPE_BYTES == fcntl.fcntl(pool._result_queue._reader.fileno(), fcntl.F_GETPIPE_SZ)
        assert bytes(300_000) == pool.submit(bytes, 300_000).result(60)
    finally:
        pool.shutdown()


def test_a_pool_whose_pipe_cannot_be_widened_is_a_pool_all_the_same() -> None:
    with Path(os.devnull).open(encoding="utf-8") as no_pipe:
        for queue in (SimpleNamespace(), SimpleNamespace(_reader=no_pipe)):
            pool = SimpleNamespace(_result_queue=queue)

            assert pool is widened(pool)  # type: ignore[arg-type]


def test_a_pool_ends_whatever_it_does() -> None:
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    pool.submit(int).result(60)
    waiting = pool.submit(time.sleep, 600.0)
    (process,) = pool._processes.values()

    end_pool(pool)

    # The pool waits for its process too, from a thread of its own: only one of the two is told how it ended.
    until = time.monotonic() + 30.0
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises((BrokenProcessPool, CancelledError)):
        waiting.result(30)
