"""What many threads ask for answers, and which of its two forms a device gets."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from inference.errors import FilmError, ModelError
from inference.models.model import Answer, Model
from inference.preprocessing import PreparedFilm
from inference.serving.attempts import Attempts, Named, settled
from inference.serving.batching import BatchingService
from inference.serving.memory import BatchLimit
from inference.serving.watchdog import OnHang, Watchdog, end_process


class Service(Protocol):
    """A model on a device; safe to use from any number of threads."""

    @property
    def model(self) -> Model:
        """The model that answers."""

    @property
    def at_once(self) -> int:
        """How many films it works on at once: more callers than that only wait."""

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer | FilmError:
        """Return the answer to a film, or why it must not have one.

        Parameters
        ----------
        name
            What the film is called where it is to blame: nothing that tells of the patient.
        alone
            True for a film that must not share a batch.

        Raises
        ------
        Exception
            What the network raised for this film by itself.
        """

    def close(self) -> None:
        """Stop; who waits is told that it was cancelled."""


@dataclass(frozen=True)
class DirectService:
    """Runs films in the threads that ask, so many at once as the machine has cores: for a CPU.

    A batch gains nothing there, and waiting for one costs its window.
    """

    attempts: Attempts
    at_once: int

    @classmethod
    def of(cls, model: Model, watchdog: Watchdog) -> DirectService:
        """Return a service with a slot for each core."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls.with_slots(model, watchdog, cores)

    @classmethod
    def with_slots(cls, model: Model, watchdog: Watchdog, at_once: int) -> DirectService:
        """Return a service whose network runs so many films at once."""
        return cls(Attempts(model, watchdog, BatchLimit(1), threading.Semaphore(at_once)), at_once)

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self.attempts.model

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer | FilmError:
        """Return the answer to a film; see `Service`."""
        (outcome,) = self.attempts.outcomes([Named(film, name)])
        return settled(outcome)

    def close(self) -> None:
        """Stop watching."""
        self.attempts.watchdog.close()


SERVICES: Mapping[str, Callable[[Model, Watchdog], Service]] = {
    "cpu": DirectService.of,
    "cuda": BatchingService.of,
}


def service_of(model: Model, device: str, on_hang: OnHang = end_process) -> Service:
    """Return the service of a model that was loaded for a device.

    Raises
    ------
    ModelError
        No such kind of device.
    """
    kind = device.partition(":")[0]
    if kind not in SERVICES:
        raise ModelError(f"device: {device}; a model is served on {', '.join(SERVICES)}")
    return SERVICES[kind](model, Watchdog(on_hang))
