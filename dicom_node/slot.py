"""One model of the settings: loaded when it is asked for, and again after it failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from dicom_node.answers import Answers
from dicom_node.errors import ModelUnavailableError, NodeError, StartError
from dicom_node.films import Answered, Source
from dicom_node.ledger.generations import FAILED
from dicom_node.loading import fault_of
from dicom_node.observe.events import DeviceLost, ModelBack, ModelFailed, ModelReady, ModelUnavailable, name_of, say
from dicom_node.recovery import Recovery
from dicom_node.settings import ModelSettings
from dicom_node.volumes import AnsweredSeries, Series, Volumes
from structured_reports.port import Refusal
from structured_reports.text import model_line

# Loading costs seconds of a large model; who asks sooner hears of the last fault again.
RETRY_S = 20.0

Reader: TypeAlias = Answers[Any, Any, Any]
"""A loaded model, of films or of volumes."""

Outcome: TypeAlias = Answered | AnsweredSeries | Refusal

Restart: TypeAlias = Callable[[], None]
"""Ends this process, for another one to begin."""


class Slot:
    """One model of the settings, loaded when it is first asked for and again after a fault."""

    def __init__(self, settings: ModelSettings, start: Callable[[], Reader]) -> None:
        self.settings = settings
        self.name = settings.folder.name
        """Name and version of the model; before it was ever loaded the name of its folder."""
        self._start = start
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._fault = ""
        self._tried = 0.0
        self._recovery = Recovery()

    @property
    def ready(self) -> Reader | None:
        """The model where it is loaded."""
        return self._reader

    @property
    def fault(self) -> str:
        """Why it cannot be used; empty where it can."""
        reader = self._reader
        if reader is None:
            return self._fault
        return f"{reader.fitness.fault}; it is loaded anew until it answers rightly" if reader.fitness.fault else ""

    @property
    def reads_series(self) -> bool:
        """True for a model of volumes that is loaded."""
        return isinstance(self._reader, Volumes)

    def reader(self) -> Reader:
        """Return the model, loaded.

        Raises
        ------
        ModelUnavailableError
            It cannot be used now.
        """
        with self._lock:
            if self._reader is None:
                self._reader = self._started()
            if self.fault:
                raise self._unavailable()
            return self._reader

    def answer(self, subject: Source | Series) -> Outcome:
        """Return what the model says of an instance or a series; a model that fails is loaded anew, once for each.

        Raises
        ------
        ModelUnavailableError
            The model cannot be used now: a device that is gone, most likely.
        OSError
            The disk, not the instance.
        """
        reader = self.reader()
        try:
            return _given(reader, subject)
        except (OSError, NodeError):
            raise
        except Exception as error:  # whatever a runtime raises
            self._drop(reader, error)
        try:
            return _given(self.reader(), subject)
        except (OSError, NodeError):
            raise
        except Exception as error:
            kind = type(error).__name__
            reason = f"the model {self.name} failed twice on the {subject.noun} ({kind}); the log says where"
            return Refusal(FAILED, reason)

    def look(self, restart: Restart) -> None:
        """Have a device asked about its golden film if it is time, and load anew a model that cannot be used.

        A model that its golden film took out of work is loaded from its folder again, and works again only if it
        then answers that film rightly.

        Parameters
        ----------
        restart
            Called where the driver went away under a model that was loaded: CUDA gives a process that lost its
            context no other one.
        """
        reader = self._reader
        if reader is not None and not reader.fitness.fault:
            reader.fitness.look()
            if reader is self._reader:
                self._note(reader)
        if not self.fault or not self._recovery.is_due:
            return
        self._recovery.tried()
        if self._recovery.is_lost:
            say(DeviceLost(self.name))
            restart()
        else:
            self._renew()

    def close(self) -> None:
        """Stop the model."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _drop(self, failed: Reader, error: Exception) -> None:
        """Forget a model that failed; once, however many were asking it."""
        with self._lock:
            if self._reader is not failed:
                return
            self._reader, self._fault = None, ""
            self._recovery.failed(error)
        say(ModelFailed(self.name, name_of(error)))
        failed.close()

    def _renew(self) -> None:
        with self._lock:
            if (unfit := self._reader) is not None:
                # Closed first: two of them may not fit into the device. Whoever waits for it asks the next one.
                self._fault, self._reader = self.fault, None
                unfit.close()
            self._tried = -RETRY_S
            with suppress(ModelUnavailableError):
                self._reader = self._started()

    def _note(self, reader: Reader) -> None:
        """Note what the golden film shows of a model that is loaded."""
        if reader.fitness.fault:
            self._recovery.found_wrong(reader.fitness)
        elif (after_s := self._recovery.came_back()) is not None:
            say(ModelBack(self.name, round(after_s)))

    def _started(self) -> Reader:
        if self._fault and time.monotonic() - self._tried < RETRY_S:
            raise self._unavailable()
        try:
            reader = self._proven(self._start())
        except Exception as error:  # whatever is wrong with one model is no fault of another
            self._fault = fault_of(error)
            self._tried = time.monotonic()
            self._recovery.fell_out(error)
            say(ModelUnavailable(self.name, self._fault))
            raise self._unavailable() from error
        self._fault, self.name = "", model_line(reader.card)
        if not reader.fitness.fault:
            say(ModelReady(self.name))
        self._note(reader)
        return reader

    def _proven(self, reader: Reader) -> Reader:
        """Return a model that was just loaded.

        Raises
        ------
        StartError
            It comes without a golden film in place of one that its golden film took out of work.
        """
        if self._recovery.needs_proof and not reader.fitness.fault and reader.fitness.sound_at is None:
            reader.close()
            raise StartError("golden film: a wrong answer to it stopped the model, and its folder has none any more")
        return reader

    def _unavailable(self) -> ModelUnavailableError:
        return ModelUnavailableError(f"the model {self.name} cannot be used: {self.fault}")


def _given(reader: Reader, subject: Source | Series) -> Outcome:
    outcome: Outcome = reader.answer(subject)
    return outcome
