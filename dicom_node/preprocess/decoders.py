"""Decodes films in processes of their own.

A file that kills its decoder kills only that process, and a decoder, which holds the interpreter lock, never
stalls an association or a delivery.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from dicom_node.observe.events import silence_libraries
from dicom_node.parent import die_with_parent
from inference.allocator import keep_freed_memory
from inference.pools import NoEndError, end_pool, result_within, widened

P = ParamSpec("P")
R = TypeVar("R")

# Codecs leak; a fresh process now and then costs little.
_TASKS_PER_PROCESS = 500


# No film takes so long; what does has no end, or is made to have none.
LIMIT_S = 120.0


class DecoderDiedError(Exception):
    """The file killed its decoder twice."""


class Decoders:
    """A pool of decoding processes that outlives the death of any of them."""

    def __init__(self, processes: int, preload: tuple[str, ...] = (), limit_s: float = LIMIT_S) -> None:
        # A fork server: a fork of this process would copy its threads' locks.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["dicom_node.preprocess.forkserver", *preload])
        self._processes = processes
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._pool = self._new_pool(processes)

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns in a decoding process.

        Raises
        ------
        DecoderDiedError
            The process died of it or did not come to an end, alone too: with neighbours it may have been one of
            theirs.
        """
        pool = self._pool
        try:
            return result_within(pool.submit(work, *args, **kwargs), self._limit_s)
        except (BrokenProcessPool, NoEndError, CancelledError):  # cancelled: a neighbour came to no end
            self._replace(pool)
        alone = self._new_pool(1)
        try:
            return result_within(alone.submit(work, *args, **kwargs), self._limit_s)
        except (BrokenProcessPool, NoEndError) as error:
            raise DecoderDiedError from error
        finally:
            end_pool(alone)

    def warm(self) -> None:
        """Start the processes now, not at the first film.

        To be called from the main thread: a fork server dies with the thread that started it.
        """
        pool = self._pool
        for started in [pool.submit(time.sleep, 0.05) for _ in range(self._processes)]:
            started.result()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                self._pool = self._new_pool(self._processes)
        # Whoever else waits for it is told that it broke, and tries alone.
        end_pool(broken)

    def _new_pool(self, processes: int) -> ProcessPoolExecutor:
        return widened(
            ProcessPoolExecutor(
                processes,
                mp_context=self._context,
                initializer=_begin_process,
                max_tasks_per_child=_TASKS_PER_PROCESS,
            )
        )


def _begin_process() -> None:
    die_with_parent()
    silence_libraries()
    keep_freed_memory()
