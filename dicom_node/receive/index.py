"""Tells the ledger what arrived, in batches and off the response path.

The files are the truth: a row that is lost with its process is found again by the scan of the spool.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_node.checkpoint import reached
from dicom_node.observe.events import ArrivalNotIndexed, IndexUnavailable, say
from dicom_node.study import ReceivedInstance


@dataclass(frozen=True)
class Opened:
    association: str
    calling_ae: str
    at: float
    called_ae: str = ""


@dataclass(frozen=True)
class Stored:
    association: str
    instance: ReceivedInstance


@dataclass(frozen=True)
class Released:
    association: str
    at: float


Arrival = Opened | Stored | Released


class Ledger(Protocol):
    """Where arrivals are recorded, one transaction a call."""

    def record(self, arrivals: Sequence[Arrival]) -> None: ...


class LedgerUnavailableError(Exception):
    """The ledger could not be written; what is waiting is kept and tried again."""


class Index:
    """Writes arrivals in the order in which they came.

    A thread of its own drains them: the C-STORE response never waits for the database.
    """

    _BATCH = 500
    _RETRY_S = 1.0

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._arrivals: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._drain, name="index", daemon=True)
        self._thread.start()

    def add(self, arrival: Arrival) -> None:
        """Take note of an arrival; it is written soon."""
        self._arrivals.put(arrival)

    @property
    def waiting(self) -> int:
        """How many arrivals are not written yet."""
        return self._arrivals.qsize()

    def close(self) -> None:
        """Write what is waiting and stop."""
        self._stopping.set()
        self._arrivals.put(None)
        self._thread.join(timeout=30)

    def _drain(self) -> None:
        while True:
            batch = self._next_batch()
            self._write([arrival for arrival in batch if arrival is not None])
            if None in batch:
                return

    def _next_batch(self) -> list[Arrival | None]:
        batch = [self._arrivals.get()]
        while batch[-1] is not None and len(batch) < self._BATCH and not self._arrivals.empty():
            batch.append(self._arrivals.get())
        return batch

    def _write(self, arrivals: Sequence[Arrival]) -> None:
        if any(isinstance(arrival, Stored) for arrival in arrivals):
            reached("instance-unindexed")
        while arrivals:
            try:
                self._ledger.record(arrivals)
            except LedgerUnavailableError as error:
                say(IndexUnavailable(len(arrivals) + self.waiting, str(error)))
                if self._stopping.wait(self._RETRY_S):
                    return  # the scan at the next start finds them
            except Exception as error:
                self._write_singly(arrivals, error)
                return
            else:
                return

    def _write_singly(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """Write all but the one that the ledger cannot take; its file is kept, and every start tries it again."""
        if len(arrivals) == 1:
            say(ArrivalNotIndexed(type(error).__name__))
            return
        for arrival in arrivals:
            self._write([arrival])
