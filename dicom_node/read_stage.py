"""The first queued stage: reads a sealed generation, and records and queues what came of it.

It may run again after a crash at any line: what is recorded is looked at first, and recorded last.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from dicom_node.checkpoint import reached
from dicom_node.deliver import (
    Destination,
)
from dicom_node.engine.app import Queues
from dicom_node.errors import ModelUnavailableError, disk_fault
from dicom_node.films import Source
from dicom_node.former import Edition, bundles_of, former_of, is_of
from dicom_node.ledger import generations, lifecycle, versions
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import Generation, RecordedResult
from dicom_node.observe import events
from dicom_node.observe.events import say
from dicom_node.pipeline import Pipeline, Reading, StudyResult
from dicom_node.results import Results, told
from dicom_node.spool.spool import Spool
from dicom_node.study import study_key
from structured_reports.lifecycle import Cause
from structured_reports.port import Refusal

Row = dict[str, Any]

# A generation that fails (or kills its reader) so often is refused, with that reason.
MOST_READS = 4
LONGEST_WAIT_S = 900.0

# No database that is away, but what was to be written: it would be tried without end.
_FAULTS_OF_STATEMENTS = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError)

# How soon a study asks again for a model that could not be used.
MODEL_WAIT_S = 30.0


@dataclass(frozen=True)
class ReadStage:
    """Turns a sealed generation into recorded results and queued deliveries.

    Attributes
    ----------
    routes
        Names of the routes that take copies of the instances, whatever became of the study.
    """

    database: sa.Engine
    spool: Spool
    results: Results
    pipeline: Pipeline
    queues: Queues
    destinations: Mapping[str, Destination]
    routes: Collection[str] = ()

    def __call__(self, generation_id: int, _chain: str) -> float | None:
        """Read a generation; returns the delay until the next attempt, None when done."""
        with writing(self.database) as connection:
            generation = generations.begin_reading(connection, generation_id)
            if generation.state == generations.SEALED and generations.is_superseded(connection, generation):
                generations.supersede(connection, generation_id)
                return None
            if generation.state == generations.SEALED and "" in lifecycle.withdrawn_models(connection, generation):
                lifecycle.withhold(connection, generation_id)
                return None
            recorded = versions.former_results(connection, generation.study_uid, generation.number)
        if generation.state != generations.SEALED:
            return None
        reached("read-begun")
        try:
            self._read(generation, recorded)
        except ModelUnavailableError as error:
            return self._wait(generation, str(error))
        except Exception as error:
            say(
                events.ReadFailed(
                    study_key(generation.study_uid), generation.number, generation.attempts, events.name_of(error)
                )
            )
            lost = self._lost(generation) if isinstance(error, FileNotFoundError) else 0
            if (fault := _fault_of_node(error)) and not lost:
                # A full disk or a database that is away says nothing against the study.
                with writing(self.database) as connection:
                    generations.discount(connection, generation.id, generations.NODE_FAULT + fault)
            return min(5.0 * 2.0**generation.attempts, LONGEST_WAIT_S)
        return None

    def put_off(self, generation_id: int, refusal: Refusal, made_at: datetime) -> None:
        """Record that a study is not read yet, and queue its reading as a version after that; nothing if it is read."""
        with self.database.connect() as connection:
            generation = generations.load(connection, generation_id)
        if (source := self._there(generation)) is None:
            return  # no header is left that says whose study it is; reading comes to its end, and `status` shows it
        study = self.pipeline.refuse(source, refusal, made_at=made_at, generation=generation.number, former=())
        keys = tuple(one.id for one in generation.instances)
        edition = Edition(made_at, (), {}, self.pipeline.made_with, keys)
        if self._record(generation, study, edition, is_put_off=True):
            self._tell(generation, study, 0.0)

    def _wait(self, generation: Generation, reason: str) -> float:
        """Keep a study until the model is there that it needs, however long that takes."""
        say(events.StudyWaits(study_key(generation.study_uid), generation.number, reason))
        with writing(self.database) as connection:
            generations.discount(connection, generation.id, reason)
        return MODEL_WAIT_S

    def _read(self, generation: Generation, recorded: Mapping[str, Sequence[RecordedResult]]) -> None:
        begun, sources = time.time(), self._sources(generation)
        made_at = datetime.fromtimestamp(generation.sealed_at, tz=UTC).astimezone()
        former = former_of(self.results.root, recorded, Cause(generation.cause))
        if generation.attempts <= MOST_READS:
            study = self.pipeline.read(sources, made_at=made_at, generation=generation.number, former=former)
        elif generation.attempts <= 2 * MOST_READS and (there := self._there(generation)):
            study = self.pipeline.refuse(
                there, self._failed(generation), made_at=made_at, generation=generation.number, former=former
            )
        else:
            # Not even a page that says so can be made: the refusal is recorded, and `status` shows it.
            study = StudyResult((), self._failed(generation))
        keys = tuple(one.id for one in generation.instances)
        edition = Edition(made_at, former, bundles_of(recorded), self.pipeline.made_with, keys)
        if self._record(generation, study, edition):
            self._tell(generation, study, time.time() - begun)

    def _failed(self, generation: Generation) -> Refusal:
        if lost := self._lost(generation):
            return Refusal(generations.FAILED, f"{lost} of {len(generation.instances)} images are lost from the spool")
        return Refusal(generations.FAILED, f"reading failed {MOST_READS} times; the log says why")

    def _lost(self, generation: Generation) -> int:
        """Return how many images are no longer in the folder of their study.

        Where that is gone too, a disk is not mounted, most likely; one that fails is no loss either.
        """
        return sum(one.path.parent.exists() and not one.path.exists() for one in self._sources(generation))

    def _there(self, generation: Generation) -> Source | None:
        """Return the first image that is there; raises OSError where the disk does not say."""
        return next((one for one in self._sources(generation) if one.path.exists()), None)

    def _sources(self, generation: Generation) -> list[Source]:
        return [
            Source(one.sha256, self.spool.path(one.path), one.calling_ae, one.called_ae, one.series_uid)
            for one in generation.instances
        ]

    def _tell(self, generation: Generation, study: StudyResult, seconds: float) -> None:
        key, number = study_key(generation.study_uid), generation.number
        say(events.StudyRead(key, number, study.refusal.code if study.refusal else "read", seconds))
        for one in study.readings:
            if isinstance(one.outcome, Refusal):
                say(events.ModelRefused(key, number, one.model, one.outcome.code))

    def _record(
        self, generation: Generation, study: StudyResult, edition: Edition, *, is_put_off: bool = False
    ) -> bool:
        """Record a result with its deliveries, in one transaction; False where something else speaks for the study."""
        begun = time.time()
        recorded = list(self.results.write(generation, "", study.objects))
        for one in study.readings:
            recorded += self.results.write(generation, one.model, one.objects)
        for model, bundle in edition.no_longer_given(self.results.root, study.given, study.refusals):
            recorded += self.results.write(generation, model, (bundle,))
        reached("results-written")
        with writing(self.database) as connection:
            if not generations.still_sealed(connection, generation.id):
                return False
            if generations.is_superseded(connection, generation):
                generations.supersede(connection, generation.id)
                return False
            withdrawn = lifecycle.withdrawn_models(connection, generation)
            if "" in withdrawn:
                lifecycle.withhold(connection, generation.id)
                return False
            recorded = [one for one in recorded if not is_of(one.model, withdrawn)]
            readings = [_withheld(one) if is_of(one.model, withdrawn) else _reading(one) for one in study.readings]
            outcome = _outcome(study) | {"made_with": edition.to_json()}
            generations.record_results(connection, generation.id, outcome, readings, recorded)
            for name in (*(self.destinations if recorded else ()), *self.routes):
                delivery_id = generations.open_delivery(connection, generation.id, name)
                self.queues.deliver(connection, delivery_id, name)
            # Models that were asked about one film share its decoding.
            spans = dict.fromkeys(span for one in study.readings for span in one.spans)
            all_spans = (*spans, *study.spans, ("record", begun, time.time() - begun))
            generations.add_timings(connection, generation.id, all_spans)
            if is_put_off:
                late = lifecycle.open_late_reading(connection, generation.study_uid, time.time())
                self.queues.read(connection, late)
        reached("results-recorded")
        return True


def _fault_of_node(error: Exception) -> str:
    """Return what is wrong with disk or database, without path or value; empty where it is neither."""
    is_database = isinstance(error, sa.exc.SQLAlchemyError) and not isinstance(error, _FAULTS_OF_STATEMENTS)
    return type(error).__name__ if is_database else disk_fault(error)


def _outcome(study: StudyResult) -> dict[str, Any]:
    return {
        "state": generations.REFUSED if study.refusal else generations.REPORTED,
        "recorded_at": time.time(),
        "reason_code": study.refusal.code if study.refusal else None,
        "reason": study.refusal.reason if study.refusal else None,
    }


def _reading(one: Reading) -> dict[str, Any]:
    if isinstance(one.outcome, Refusal):
        return {"model": one.model, "reason_code": one.outcome.code, "reason": one.outcome.reason}
    return {"model": one.model, **told(one.outcome)}


def _withheld(one: Reading) -> dict[str, Any]:
    reason = "the results of this model were withdrawn; `dicom-node rerun` asks it again"
    return {"model": one.model, "reason_code": generations.WITHDRAWN, "reason": reason}
