"""Ends what does not come to an end: first the run, then the process.

A call into a runtime cannot be killed from outside. ONNX Runtime can be asked to stop before its next operation;
where that is not enough nothing helps but a new process.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Protocol, runtime_checkable

from inference.errors import HungError

# No batch of films takes so long, on the slowest machine under the heaviest load.
LIMIT_S = 120.0
GRACE_S = 10.0
EXIT_STATUS = 70  # EX_SOFTWARE of sysexits.h

OnHang = Callable[[Sequence[str]], None]


@runtime_checkable
class Endable(Protocol):
    """A network whose run can be ended by another thread."""

    def end(self, thread: int) -> None:
        """Let the run that a thread waits for raise."""


def end_process(names: Sequence[str]) -> None:
    """End this process: its supervisor starts another, and the queue gives the work again."""
    print(f"a network did not come to an end on {len(names)} film(s); the process ends", file=sys.stderr, flush=True)
    os._exit(EXIT_STATUS)


@dataclass
class Run:
    """A call into a network that is watched.

    Attributes
    ----------
    names
        What the films are called, for those who look for the one to blame.
    until
        Monotonic time at which something is done about it.
    ended
        True once it was asked to end.
    """

    network: object
    names: Sequence[str]
    until: float
    thread: int = field(default_factory=get_ident)
    ended: bool = False

    def end(self) -> None:
        """Ask the network to end."""
        self.ended = True
        if isinstance(self.network, Endable):
            self.network.end(self.thread)


class Watchdog:
    """Watches runs of any number of threads from one of its own.

    Parameters
    ----------
    on_hang
        Called with the names of the films when a run goes on after it was ended; it ends the process.
    limit_s
        Longest time of a run.
    grace_s
        How long after its end was asked for it may go on.
    """

    def __init__(self, on_hang: OnHang = end_process, limit_s: float = LIMIT_S, grace_s: float = GRACE_S) -> None:
        self._on_hang, self._limit_s, self._grace_s = on_hang, limit_s, grace_s
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, network: object, names: Sequence[str]) -> Iterator[None]:
        """Watch the block, in which this thread runs a network.

        Raises
        ------
        HungError
            The block raised since it was ended.
        """
        run = Run(network, names, time.monotonic() + self._limit_s)
        with self._lock:
            self._runs.append(run)
        try:
            yield
        except Exception as error:
            if run.ended:
                raise HungError(f"run: not at its end after {self._limit_s:g} s, and ended") from error
            raise
        finally:
            with self._lock:
                self._runs.remove(run)

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(min(1.0, self._limit_s / 4, self._grace_s / 4)):
            with self._lock:
                late = [run for run in self._runs if time.monotonic() > run.until]
                for run in late:
                    self._see_to(run)

    def _see_to(self, run: Run) -> None:
        # Under the lock: a thread that is done with its run cannot have begun another under the same number.
        if run.ended:
            self._on_hang(run.names)
        run.end()
        run.until = time.monotonic() + self._grace_s
