"""What many threads ask for answers, and which of its two forms a device gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Protocol

from inference.errors import FilmError, ModelError
from inference.models.model import Answer, Model
from inference.models.port import Outputs
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


class DirectService:
    """Runs films one by one, so many at once as it has threads for them: for a CPU.

    A batch gains nothing there, and waiting for one costs its window. The threads do nothing but run the network: one
    that goes on to work out its answer leaves a cold cache behind, and the next to run waits until it is woken.

    Parameters
    ----------
    at_once
        Films that are run at once.
    """

    def __init__(self, model: Model, watchdog: Watchdog, at_once: int) -> None:
        self.at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, "network")
        self._attempts = Attempts(model, watchdog, BatchLimit(1), self._run)

    @classmethod
    def of(cls, model: Model, watchdog: Watchdog) -> DirectService:
        """Return a service with a thread for each core."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(model, watchdog, cores)

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self._attempts.model

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer | FilmError:
        """Return the answer to a film; see `Service`."""
        (outcome,) = self._attempts.outcomes([Named(film, name)])
        return settled(outcome)

    def close(self) -> None:
        """Finish the films under way, cancel those that wait, stop."""
        self._threads.shutdown(cancel_futures=True)
        self._attempts.watchdog.close()

    def _run(self, run: Callable[[], Outputs]) -> Outputs:
        try:
            asked = self._threads.submit(run)
        except RuntimeError as error:  # no new futures after shutdown
            raise CancelledError("the service is closed") from error
        return asked.result()


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
