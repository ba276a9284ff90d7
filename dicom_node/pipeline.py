"""The middle of the way of a study: which models are asked, what they say, what is made of that."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from dicom_node.errors import is_from_machine
from dicom_node.films import Answered, Source
from dicom_node.former import replaceable
from dicom_node.ledger.generations import FAILED
from dicom_node.observe.events import name_of
from dicom_node.patients import several_patients
from dicom_node.recipe import recipe
from dicom_node.roster import Roster
from dicom_node.routing import described, facts_of
from dicom_node.settings import Settings
from dicom_node.slot import Outcome, Slot
from dicom_node.volumes import AnsweredSeries
from inference.deflated import read_instance
from inference.types import Prediction
from structured_reports.build import build_results
from structured_reports.errors import ReportError
from structured_reports.fhir.options import FhirOptions
from structured_reports.lifecycle import FormerResult, continued
from structured_reports.port import DEFAULT_KINDS, Equipment, Refusal, ReportRequest, ResultObject

Spans = tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Reading:
    """What one model said of a study, or why it said nothing.

    Attributes
    ----------
    model
        Name and version.
    source
        The film that it read, of a series the slice that is shown; where it read none, the first that it was asked
        about.
    spans
        Stage, start (seconds since the epoch), duration (seconds).
    """

    model: str
    outcome: Prediction | Refusal
    source: Source
    objects: tuple[ResultObject, ...] = ()
    spans: Spans = ()


@dataclass(frozen=True)
class StudyResult:
    """What a study generation came to.

    Attributes
    ----------
    readings
        One a model that was asked.
    refusal
        Why the study has no result; None as soon as one model gave one.
    objects, spans
        Of the refusal.
    """

    readings: tuple[Reading, ...]
    refusal: Refusal | None = None
    objects: tuple[ResultObject, ...] = ()
    spans: Spans = ()

    @property
    def given(self) -> list[str]:
        """Models of which there are objects; an empty name for what says that there is no result."""
        return [*([""] if self.objects else []), *(one.model for one in self.readings if one.objects)]

    @property
    def refusals(self) -> Mapping[str, Refusal | None]:
        """Why each model that was asked gave no result, and under an empty name why the study has none."""
        of_models = {one.model: one.outcome if isinstance(one.outcome, Refusal) else None for one in self.readings}
        return of_models | ({"": self.refusal} if self.refusal else {})


@dataclass
class _Opinion:
    """What a model said of the films or series of a study so far: of hundreds only the best is held on to."""

    first: Source
    best: Answered | AnsweredSeries | None = None
    refusals: list[Refusal] = field(default_factory=list)

    def refusal(self, slot: Slot) -> Refusal | None:
        """Return why the model of a slot gives no result; None where it gives one."""
        if self.best is not None:
            return None
        return _common_reason(self.refusals, slot)

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, Refusal):
            self.refusals.append(outcome)
        elif self.best is None or outcome.highest > self.best.highest:
            self.best = outcome


@dataclass(frozen=True)
class Pipeline:
    """Reads one study generation: route, decode, predict, choose, report. No database, no network.

    Attributes
    ----------
    device
        Of the worker, for models that have none of their own.
    forms
        Forms of results that some destination may be sent beside the first (`structured_reports.forms`).
    """

    roster: Roster
    equipment: Equipment
    settings: Settings
    device: str
    forms: Collection[str]

    def read(
        self,
        sources: Sequence[Source],
        *,
        made_at: datetime,
        generation: int,
        former: Sequence[FormerResult] = (),
    ) -> StudyResult:
        """Return the result of a study.

        Parameters
        ----------
        sources
            Its instances, oldest first.
        made_at
            Time of the job, with time zone; it is the time of every object.
        former
            The recorded results of the study that its new ones replace.

        Raises
        ------
        ModelUnavailableError
            A model that the study needs cannot be used now.
        """
        if several := several_patients(sources):
            return self.refuse(sources[0], several, made_at=made_at, generation=generation, former=former)
        opinions = self._opinions(sources)
        refusals = {slot.name: opinion.refusal(slot) for slot, opinion in opinions.items()}
        replaced = continued(
            replaceable(former, refusals), [model for model, refusal in refusals.items() if refusal is None]
        )
        readings = tuple(
            self._reading(slot, opinion, made_at, generation, replaced.get(slot.name))
            for slot, opinion in opinions.items()
        )
        if any(isinstance(one.outcome, Prediction) for one in readings):
            return StudyResult(readings)
        refusal = _why_none(readings) if readings else _nobody_asked(sources)
        return self.refuse(
            sources[0], refusal, made_at=made_at, generation=generation, readings=readings, former=former
        )

    @property
    def made_with(self) -> dict[str, Any]:
        """What results are made with beside instances and models: a rebuild takes it from the record."""
        return recipe(self.settings, self.roster, self.equipment, self.device, self.forms)

    def refuse(
        self,
        source: Source,
        refusal: Refusal,
        *,
        made_at: datetime,
        generation: int,
        readings: tuple[Reading, ...] = (),
        former: Sequence[FormerResult] = (),
    ) -> StudyResult:
        """Return the result of a study that no model read."""
        if not self.settings.report.not_performed:
            return StudyResult(readings, refusal)
        begun = time.time()
        replaced = replaceable(former, StudyResult(readings, refusal).refusals)
        request = ReportRequest(
            source=header_of(source.path),
            display=None,
            outcome=refusal,
            equipment=self.equipment,
            made_at=made_at,
            generation=generation,
            notice=self.settings.report.notice,
            former=continued(replaced, [""]).get(""),
        )
        built = self._built(request)
        if isinstance(built, Refusal):
            return StudyResult(readings, built)
        return StudyResult(readings, refusal, built, (("build", begun, time.time() - begun),))

    def _opinions(self, sources: Sequence[Source]) -> Mapping[Slot, _Opinion]:
        opinions: dict[Slot, _Opinion] = {}
        for slot, source, outcome in self.roster.opinions(sources):
            opinions.setdefault(slot, _Opinion(source)).add(outcome)
        return opinions

    def _reading(
        self, slot: Slot, opinion: _Opinion, made_at: datetime, generation: int, former: FormerResult | None
    ) -> Reading:
        if opinion.best is None:
            return Reading(slot.name, _common_reason(opinion.refusals, slot), opinion.first)
        answered = opinion.best
        source = answered.source
        number, word = self.roster.label(slot)
        begun, header = time.time(), header_of(source.path)
        try:
            prediction = answered.prediction
            request = ReportRequest(
                source=header,
                display=answered.display,
                outcome=prediction,
                equipment=self.equipment,
                made_at=made_at,
                generation=generation,
                notice=self.settings.report.notice,
                heatmap=slot.settings.heatmap,
                slices=answered.slices,
                model_number=number,
                model_word=word,
                former=former,
            )
        except Exception as error:  # whatever cannot be made of one model's answer, the results of others stand
            reason = f"no prediction of {slot.name} can be made ({type(error).__name__}: {error})"
            return Reading(slot.name, Refusal(FAILED, reason), source, (), answered.spans)
        built = self._built(request, slot.settings.objects)
        if isinstance(built, Refusal):
            return Reading(slot.name, built, source, (), answered.spans)
        spans = (*answered.spans, ("build", begun, time.time() - begun))
        return Reading(slot.name, prediction, source, built, spans)

    def _built(
        self, request: ReportRequest, kinds: Collection[str] = DEFAULT_KINDS
    ) -> tuple[ResultObject, ...] | Refusal:
        fhir = self.settings.report.fhir
        try:
            options = FhirOptions(fhir.patient_system, fhir.create_patient)
            return build_results(request, kinds, fhir=options, forms=self.forms)
        except ReportError as error:
            # Fail closed: an object that might name somebody else goes nowhere. `status` shows the study.
            return Refusal("header", f"no result can be made: {error}")
        except Exception as error:
            if is_from_machine(error):
                raise  # the disk or the machine, not the study: it is read again later
            # Whatever a library raises on one header or map: its message may hold a name, its kind does not.
            return Refusal(FAILED, f"no result can be made: unexpected {name_of(error)}")


def header_of(path: Path) -> Dataset:
    """Return the header of an instance as it arrived, without pixels."""
    return read_instance(path, stop_before_pixels=True)


def _common_reason(refusals: Sequence[Refusal], slot: Slot) -> Refusal:
    """Return one refusal for a study of which a model refused every instance or series."""
    counts = Counter(refusals)
    if len(counts) == 1:
        return refusals[0]
    ((most, _), *_) = counts.most_common(1)
    reasons = "; ".join(f"{number} × {refusal.reason}" for refusal, number in counts.most_common(3))
    what = "series" if slot.reads_series else "instances"
    return Refusal(most.code, f"none of {len(refusals)} {what} is suitable: {reasons}")


def _why_none(readings: Sequence[Reading]) -> Refusal:
    """Return one refusal for a study that every model refused."""
    refusals = {one.model: one.outcome for one in readings if isinstance(one.outcome, Refusal)}
    counts = Counter(refusals.values())
    if len(counts) == 1:
        return next(iter(counts))
    ((most, _), *_) = counts.most_common(1)
    return Refusal(most.code, "; ".join(f"{model}: {refusal.reason}" for model, refusal in refusals.items()))


def _nobody_asked(sources: Iterable[Source]) -> Refusal:
    """Return the refusal of a study that no rule means."""
    kinds = dict.fromkeys(described(facts_of(one.path, one.calling_ae, one.called_ae)) for one in sources)
    shown = "; ".join(list(kinds)[:3])
    return Refusal("no-model", f"no model is set up for this study: {shown}")
