"""The models that are set up: those that can be used, and those that cannot and are tried again.

One model that is broken stops no other. A node without any that works does not start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from dicom_node.errors import ModelUnavailableError, StartError
from dicom_node.films import Source
from dicom_node.ledger.generations import FAILED
from dicom_node.naming import distinguishing_words
from dicom_node.routing import facts_of, matches
from dicom_node.settings import ModelSettings
from dicom_node.slot import Outcome, Reader, Restart, Slot
from dicom_node.volumes import Series, series_in
from structured_reports.port import Refusal
from structured_reports.text import model_line

Start = Callable[[ModelSettings], Reader]
"""Loads and tries a model; raises a `NodeError` that says what is wrong with it."""


class Roster:
    """All models of a worker; each instance goes to those whose rule means it."""

    def __init__(self, models: Sequence[ModelSettings], start: Start) -> None:
        self._holders: dict[str, Slot] = {}
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
                slot.reader()
        if not any(slot.ready for slot in self.slots):
            raise StartError("\n".join(f"models.{number}: {slot.fault}" for number, slot in enumerate(self.slots)))

    def begin(self, source: Source) -> None:
        """Have an instance that just arrived read by every model that will be asked about it and can be used now."""
        try:
            asked = self._asked(source)
        except OSError:
            return  # whoever reads the study meets the disk again, and says so
        for slot in asked:
            # Whether a series is whole is known when its study is.
            if (reader := slot.ready) is not None and not slot.fault and not slot.reads_series:
                reader.begin(source)

    def opinions(self, sources: Sequence[Source]) -> Iterator[tuple[Slot, Source, Outcome]]:
        """Yield what each model says of each instance or series of a study that its rule means.

        Films come first, each asked of all models while its decoding is at hand. A series is named by its first
        instance.

        Raises
        ------
        ModelUnavailableError
            A required model cannot be used now.
        """
        slices: dict[Slot, list[Source]] = defaultdict(list)
        for source in sources:
            asked = self._asked(source)
            for slot, outcome in _answers_of(asked, source).items():
                yield slot, source, outcome
            for slot in asked:
                if slot.reads_series:
                    slices[slot].append(source)
            self.forget(source)
        for slot, own in slices.items():
            for series in series_in(own):
                yield slot, series.sources[0], _answer(slot, series)
                if (reader := slot.ready) is not None:
                    reader.forget(series.sha256)

    def label(self, slot: Slot) -> tuple[int, str]:
        """Return the place of a model among all, from 1, and the word that tells it from them."""
        place = self.slots.index(slot)
        return place + 1, distinguishing_words([each.name for each in self.slots])[place]

    def forget(self, source: Source) -> None:
        """Drop the answers that are no longer needed."""
        for slot in self.slots:
            if (reader := slot.ready) is not None:
                reader.forget(source.sha256)

    def look(self, restart: Restart) -> None:
        """Look whether the devices can still be believed, and load anew what cannot be used; see `Slot.look`."""
        for slot in self.slots:
            slot.look(restart)

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

    def _distinct(self, settings: ModelSettings, start: Start) -> Reader:
        reader = start(settings)
        name, own = model_line(reader.card), next(slot for slot in self.slots if slot.settings is settings)
        holder = self._holders.get(name, own)
        # Whoever cannot be used gives the name to one that can, and is refused when it comes back.
        if holder is not own and not holder.fault:
            reader.close()
            raise StartError(f"{name}: {holder.settings.folder} has the same; two models differ in name or version")
        self._holders[name] = own
        return reader


def _absence(slot: Slot) -> Refusal | None:
    """Return why a study goes on without a model, None where the model is there.

    Raises
    ------
    ModelUnavailableError
        The study waits for it: that is known before the other models are asked.
    """
    try:
        slot.reader()
    except ModelUnavailableError as error:
        if slot.settings.required:
            raise
        return Refusal(FAILED, str(error))
    return None


def _answers_of(asked: Sequence[Slot], source: Source) -> Mapping[Slot, Outcome]:
    absent = {slot: absence for slot in asked if (absence := _absence(slot))}
    return {
        slot: absent.get(slot) or _answer(slot, source) for slot in asked if slot in absent or not slot.reads_series
    }


def _answer(slot: Slot, subject: Source | Series) -> Outcome:
    try:
        return slot.answer(subject)
    except ModelUnavailableError as error:
        if slot.settings.required:
            raise
        return Refusal(FAILED, str(error))
