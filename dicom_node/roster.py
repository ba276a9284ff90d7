"""The models that are set up: those that can be used, and those that cannot and are tried again.

One model that is broken stops no other. A node without any that works does not start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dicom_node.errors import ModelUnavailableError, NodeError, StartError
from dicom_node.films import Answered, Films, Source
from dicom_node.ledger.generations import FAILED
from dicom_node.observe.events import ModelFailed, ModelReady, ModelUnavailable, name_of, say
from dicom_node.routing import facts_of, matches
from dicom_node.settings import ModelSettings
from structured_reports.port import Refusal
from structured_reports.text import model_line

# Loading costs seconds of a large model; who asks sooner hears of the last fault again.
RETRY_S = 20.0

Start = Callable[[ModelSettings], Films]
"""Loads and tries a model; raises a `NodeError` that says what is wrong with it."""


class Slot:
    """One model of the settings, loaded when it is first asked for and again after a fault."""

    def __init__(self, settings: ModelSettings, start: Callable[[], Films]) -> None:
        self.settings = settings
        self.name = settings.folder.name
        """Name and version of the model; before it was ever loaded the name of its folder."""
        self._start = start
        self._lock = threading.Lock()
        self._films: Films | None = None
        self._fault = ""
        self._tried = 0.0

    @property
    def ready(self) -> Films | None:
        """The model where it is loaded."""
        return self._films

    @property
    def fault(self) -> str:
        """Why it cannot be used; empty where it can."""
        films = self._films
        return self._fault if films is None else films.fitness.fault or ""

    def films(self) -> Films:
        """Return the model, loaded.

        Raises
        ------
        ModelUnavailableError
            It cannot be used now.
        """
        with self._lock:
            if self._films is None:
                self._films = self._started()
        if self.fault:
            raise self._unavailable()
        return self._films

    def answer(self, source: Source) -> Answered | Refusal:
        """Return what the model says of an instance; a model that fails is loaded anew, once for an instance.

        Raises
        ------
        ModelUnavailableError
            The model cannot be used now: a device that is gone, most likely.
        OSError
            The disk, not the instance.
        """
        films = self.films()
        try:
            return films.answer(source)
        except (OSError, NodeError):
            raise
        except Exception as error:  # whatever a runtime raises
            self._drop(films, error)
        try:
            return self.films().answer(source)
        except (OSError, NodeError):
            raise
        except Exception as error:
            kind = type(error).__name__
            return Refusal(FAILED, f"the model {self.name} failed twice on the instance ({kind}); the log says where")

    def close(self) -> None:
        """Stop the model."""
        with self._lock:
            if self._films is not None:
                self._films.close()
                self._films = None

    def _drop(self, failed: Films, error: Exception) -> None:
        """Forget a model that failed; once, however many were asking it."""
        with self._lock:
            if self._films is not failed:
                return
            self._films, self._fault = None, ""
        say(ModelFailed(self.name, name_of(error)))
        failed.close()

    def _started(self) -> Films:
        if self._fault and time.monotonic() - self._tried < RETRY_S:
            raise self._unavailable()
        try:
            films = self._start()
        except Exception as error:  # whatever is wrong with one model is no fault of another
            self._fault = str(error) if isinstance(error, NodeError) else f"unexpected {name_of(error)}"
            self._tried = time.monotonic()
            say(ModelUnavailable(self.name, self._fault))
            raise self._unavailable() from error
        self._fault, self.name = "", model_line(films.model.card)
        say(ModelReady(self.name))
        return films

    def _unavailable(self) -> ModelUnavailableError:
        return ModelUnavailableError(f"the model {self.name} cannot be used: {self.fault}")


class Roster:
    """All models of a worker; each instance goes to those whose rule means it."""

    def __init__(self, models: Sequence[ModelSettings], start: Start) -> None:
        self._names: dict[str, Path] = {}
        self.slots = tuple(Slot(one, lambda one=one: self._distinct(one, start)) for one in models)  # type: ignore[misc]
        self._has_rules = any(one.when for one in models)

    def require_any(self) -> None:
        """Load every model.

        Raises
        ------
        StartError
            None can be loaded: the node does not run without a model.
        """
        for slot in self.slots:
            with suppress(ModelUnavailableError):
                slot.films()
        if not any(slot.ready for slot in self.slots):
            raise StartError("\n".join(f"models.{number}: {slot.fault}" for number, slot in enumerate(self.slots)))

    def begin(self, source: Source) -> None:
        """Have an instance that just arrived read by every model that will be asked about it and can be used now."""
        try:
            asked = self._asked(source)
        except OSError:
            return  # whoever reads the study meets the disk again, and says so
        for slot in asked:
            if slot.ready is not None and not slot.fault:
                slot.ready.begin(source)

    def answers(self, source: Source) -> Mapping[Slot, Answered | Refusal]:
        """Return what each model says of an instance whose rule means it; empty where none does.

        Raises
        ------
        ModelUnavailableError
            A required one cannot be used now.
        """
        asked = self._asked(source)
        absent = {slot: absence for slot in asked if (absence := _absence(slot))}
        return {slot: absent.get(slot) or _answer(slot, source) for slot in asked}

    def forget(self, source: Source) -> None:
        """Drop the answers that are no longer needed."""
        for slot in self.slots:
            if slot.ready is not None:
                slot.ready.forget(source.sha256)

    def look(self) -> None:
        """Look whether the devices can still be believed."""
        for slot in self.slots:
            if slot.ready is not None:
                slot.ready.fitness.look()

    def faults(self) -> Mapping[str, str]:
        """Return what is wrong, by the name of the model."""
        return {slot.name: slot.fault for slot in self.slots if slot.fault}

    def close(self) -> None:
        """Stop all models."""
        for slot in self.slots:
            slot.close()

    def _asked(self, source: Source) -> Sequence[Slot]:
        if not self._has_rules:
            return self.slots
        facts = facts_of(source.path, source.calling_ae, source.called_ae)
        return [slot for slot in self.slots if matches(slot.settings.when, facts)]

    def _distinct(self, settings: ModelSettings, start: Start) -> Films:
        films = start(settings)
        name = model_line(films.model.card)
        if self._names.setdefault(name, settings.folder) != settings.folder:
            films.close()
            raise StartError(f"{name}: {self._names[name]} has the same; two models differ in name or version")
        return films


def _absence(slot: Slot) -> Refusal | None:
    """Return why a study goes on without a model, None where the model is there.

    Raises
    ------
    ModelUnavailableError
        The study waits for it: that is known before the other models are asked.
    """
    try:
        slot.films()
    except ModelUnavailableError as error:
        if slot.settings.required:
            raise
        return Refusal(FAILED, str(error))
    return None


def _answer(slot: Slot, source: Source) -> Answered | Refusal:
    try:
        return slot.answer(source)
    except ModelUnavailableError as error:
        if slot.settings.required:
            raise
        return Refusal(FAILED, str(error))
