"""Micro-batches across studies: for a device on which many films cost little more than one."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field

from inference.errors import FilmError
from inference.models.model import Answer, Model
from inference.preprocessing import PreparedFilm
from inference.serving.attempts import Attempts, Named, Outcome, settled
from inference.serving.memory import BatchLimit
from inference.serving.watchdog import Watchdog

MOST = 32
# A film waits so long for company, no more: a fifth of what it takes to decode one.
WINDOW_S = 0.002
# Two: one batch is copied while the other is computed.
LANES = 2


@dataclass(frozen=True)
class Waiting:
    """A film that waits for its batch, and who waits for its answer."""

    named: Named
    since: float = field(default_factory=time.monotonic)
    outcome: Future[Outcome] = field(default_factory=Future)


class BatchingService:
    """Gathers films of any number of threads into batches.

    Parameters
    ----------
    window_s
        How long the first film of a batch waits for others.
    lanes
        Batches that are under way at once.
    """

    def __init__(self, attempts: Attempts, window_s: float = WINDOW_S, lanes: int = LANES) -> None:
        self._attempts, self._window_s = attempts, window_s
        self.at_once = attempts.limit.most * lanes
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._gathering = threading.Lock()
        self._closing = threading.Event()
        self._lanes = [threading.Thread(target=self._serve, name=f"lane-{lane}", daemon=True) for lane in range(lanes)]
        for lane in self._lanes:
            lane.start()

    @classmethod
    def of(cls, model: Model, watchdog: Watchdog) -> BatchingService:
        """Return a service with the measured settings."""
        return cls(Attempts(model, watchdog, BatchLimit(MOST)))

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self._attempts.model

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer | FilmError:
        """Return the answer to a film; see `Service`."""
        if self._closing.is_set():
            raise CancelledError("the service is closed")
        named = Named(film, name)
        if alone:
            (outcome,) = self._attempts.outcomes([named])
            return settled(outcome)
        waiting = Waiting(named)
        self._waiting.put(waiting)
        if self._closing.is_set():  # since it was asked above: nobody may look at the queue any more
            waiting.outcome.cancel()
        return settled(waiting.outcome.result())

    def close(self) -> None:
        """Finish the batches under way, cancel the films that wait, stop."""
        self._closing.set()
        with suppress(queue.Empty):
            while True:
                if left := self._waiting.get_nowait():
                    left.outcome.cancel()
        for _ in self._lanes:
            self._waiting.put(None)
        for lane in self._lanes:
            lane.join()
        self._attempts.watchdog.close()

    def _serve(self) -> None:
        while gathered := self._gathered():
            batch = [each for each in gathered if each.outcome.set_running_or_notify_cancel()]
            outcomes = self._attempts.outcomes([each.named for each in batch]) if batch else []
            for each, outcome in zip(batch, outcomes, strict=True):
                each.outcome.set_result(outcome)

    def _gathered(self) -> list[Waiting]:
        """Return the next batch: what came until it is full or its first film has waited; empty at the end."""
        with self._gathering:
            first = self._waiting.get()
            if first is None:
                return []
            batch = [first]
            while len(batch) < self._attempts.limit.current:
                if (another := self._next(first.since + self._window_s)) is None:
                    break
                batch.append(another)
            return batch

    def _next(self, until: float) -> Waiting | None:
        """Return the next film if one comes in time."""
        try:
            another = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
        if another is None:  # the end, which each lane has to see by itself
            self._waiting.put(None)
        return another
