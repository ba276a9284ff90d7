"""Generations: fixed sets of instances of a study, sealed once, with one outcome.

::

    sealed ──► reported      results recorded, deliveries queued
          ├──► refused       no film was read; the reason is recorded (and told, where configured)
          ├──► superseded    a later generation came before it was read, and speaks for it
          └──► withheld      the results of the study were withdrawn: kept, not read until an operator says so

    withdrawn                takes recorded results back; made by an operator, never sealed or read

A sealed generation that needs a model which cannot be used now, or a disk or database that cannot, says so in
`waits_for`, and is tried again without limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dicom_node.ledger.schema import association, delivery, generation, instance, reading, result, timing

FAILED = "failed"
"""Reason code of a study that could not be read for a fault of the node, not of the study."""

NODE_FAULT = "a fault of the node: "
"""How `waits_for` begins where disk or database hold a study up, not a model."""

SEALED, REPORTED, REFUSED, SUPERSEDED = "sealed", "reported", "refused", "superseded"
WITHHELD, WITHDRAWN = "withheld", "withdrawn"


@dataclass(frozen=True)
class Sealed:
    """A generation that was just sealed."""

    id: int
    study_uid: str
    number: int
    instances: int


@dataclass(frozen=True)
class Arrived:
    """An instance that no generation has yet."""

    id: int
    sha256: str
    path: str
    calling_ae: str
    called_ae: str


@dataclass(frozen=True)
class StoredInstance:
    """An instance of a generation, as the index knows it."""

    sop_uid: str
    sop_class_uid: str
    modality: str
    sha256: str
    path: str
    calling_ae: str
    called_ae: str
    series_uid: str
    id: int


@dataclass(frozen=True)
class Generation:
    """A generation with the instances of its study up to then, oldest first.

    Attributes
    ----------
    attempts
        How often reading it was begun, this time included.
    cause
        ``images``, ``rerun`` or ``deadline``.
    """

    id: int
    study_uid: str
    number: int
    state: str
    sealed_at: float
    attempts: int
    instances: tuple[StoredInstance, ...]
    cause: str = "images"


@dataclass(frozen=True)
class RecordedResult:
    """A result object that is durable in the results folder.

    Attributes
    ----------
    model
        Name and version of the model that gave it; empty for what says that none did.
    form, alternative_to
        Of the result object: a destination is sent one of those that are alternatives.
    """

    model: str
    kind: str
    uid: str
    media_type: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str
    picture: str | None
    sha256: str
    form: str = ""
    alternative_to: str = ""


def seal_due(connection: sa.Connection, now: float) -> list[Sealed]:
    """Seal every study that is complete, and return the new generations.

    A study is complete when each association that brought an unsealed instance of it has ended, and the quiet
    time of its sender has passed since the last one was stored. Nothing but stored times decides, so a restart
    changes nothing.
    """
    return [
        sealed
        for study_uid, quiet_ended_at in due(connection, now)
        if (sealed := _seal(connection, study_uid, quiet_ended_at, now)) is not None
    ]


def due(connection: sa.Connection, now: float) -> list[tuple[str, float]]:
    """Return the complete studies that are not sealed, and when their quiet time ended."""
    return [(row[0], row[1]) for row in connection.execute(_due(now))]


def arrived_since(connection: sa.Connection, last: int) -> list[Arrived]:
    """Return the unsealed instances with a higher id than the last that was seen."""
    query = (
        sa.select(instance.c.id, instance.c.sha256, instance.c.path, association.c.calling_ae, association.c.called_ae)
        .join(association, instance.c.association_id == association.c.id)
        .where(instance.c.id > last, _unsealed())
        .order_by(instance.c.id)
        .limit(200)
    )
    return [Arrived(*row) for row in connection.execute(query)]


def _due(now: float) -> sa.Select[Any]:
    # Stored in the future: the clock was set back since. The study must not wait until it has caught up.
    quiet = sa.case((instance.c.stored_at > now, 0.0), else_=association.c.quiet_s)
    last_quiet = sa.func.max(sa.case((instance.c.stored_at > now, now), else_=instance.c.stored_at) + quiet)
    released = sa.func.min(sa.case((association.c.released_at.is_(None), 0), else_=1))
    return (
        sa.select(instance.c.study_uid, last_quiet)
        .join(association, instance.c.association_id == association.c.id)
        .where(_unsealed())
        .group_by(instance.c.study_uid)
        .having(released == 1, last_quiet <= now)
    )


def _unsealed() -> sa.ColumnElement[bool]:
    return sa.and_(instance.c.generation_id.is_(None), ~instance.c.own, ~instance.c.conflict)


def _seal(connection: sa.Connection, study_uid: str, quiet_ended_at: float, now: float) -> Sealed | None:
    former = sa.select(sa.func.coalesce(sa.func.max(generation.c.number), 0)).where(generation.c.study_uid == study_uid)
    number = int(connection.execute(former).scalar_one()) + 1
    row = {"study_uid": study_uid, "number": number, "state": SEALED}
    made = connection.execute(sa.insert(generation).values(**row, quiet_ended_at=quiet_ended_at, sealed_at=now))
    (generation_id,) = made.inserted_primary_key or (None,)
    taken = connection.execute(
        sa.update(instance).where(instance.c.study_uid == study_uid, _unsealed()).values(generation_id=generation_id)
    )
    return Sealed(int(generation_id), study_uid, number, taken.rowcount) if generation_id else None


def begin_reading(connection: sa.Connection, generation_id: int) -> Generation:
    """Return a generation and count the attempt, so that one which kills its reader is noticed."""
    connection.execute(
        sa.update(generation).where(generation.c.id == generation_id).values(attempts=generation.c.attempts + 1)
    )
    return load(connection, generation_id)


def load(connection: sa.Connection, generation_id: int) -> Generation:
    """Return a generation with the instances that it has now."""
    row = connection.execute(sa.select(generation).where(generation.c.id == generation_id)).one()
    of_it = sa.and_(instance.c.study_uid == row.study_uid, instance.c.generation_id <= generation_id)
    return Generation(
        id=row.id,
        study_uid=row.study_uid,
        number=row.number,
        state=row.state,
        sealed_at=row.sealed_at,
        attempts=row.attempts,
        instances=_instances(connection, of_it),
        cause=row.cause,
    )


def instances(connection: sa.Connection, keys: Sequence[int]) -> tuple[StoredInstance, ...]:
    """Return instances by their keys, oldest first: those that a generation was read with, wherever they are now."""
    return _instances(connection, instance.c.id.in_(keys))


def _instances(connection: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[StoredInstance, ...]:
    columns = (
        instance.c.sop_uid,
        instance.c.sop_class_uid,
        instance.c.modality,
        instance.c.sha256,
        instance.c.path,
        association.c.calling_ae,
        association.c.called_ae,
        instance.c.series_uid,
        instance.c.id,
    )
    rows = connection.execute(
        sa.select(*columns)
        .join(association, instance.c.association_id == association.c.id)
        .where(which)
        .order_by(instance.c.id)
    )
    return tuple(StoredInstance(*one) for one in rows)


def sealed_before(connection: sa.Connection, before: float) -> list[int]:
    """Return the generations that were sealed before a time and are not read."""
    query = sa.select(generation.c.id).where(generation.c.state == SEALED, generation.c.sealed_at < before)
    return list(connection.execute(query.order_by(generation.c.id)).scalars())


def still_sealed(connection: sa.Connection, generation_id: int) -> bool:
    """Return whether a generation is not recorded yet, and keep others from recording it until the commit."""
    query = sa.select(generation.c.state).where(generation.c.id == generation_id).with_for_update()
    return bool(connection.execute(query).scalar_one() == SEALED)


def discount(connection: sa.Connection, generation_id: int, waits_for: str) -> None:
    """Take back the count of an attempt that failed for no fault of the study, and note what it waits for."""
    connection.execute(
        sa.update(generation)
        .where(generation.c.id == generation_id, generation.c.state == SEALED)
        .values(attempts=generation.c.attempts - 1, waits_for=waits_for)
    )


def is_superseded(connection: sa.Connection, read: Generation) -> bool:
    """Return True where a later generation of the study is sealed; a withdrawal reads nothing in its place."""
    later = sa.select(generation.c.id).where(
        generation.c.study_uid == read.study_uid,
        generation.c.number > read.number,
        generation.c.state.not_in([WITHDRAWN, WITHHELD]),
    )
    return connection.execute(later.limit(1)).first() is not None


def supersede(connection: sa.Connection, generation_id: int) -> None:
    """Note that a later generation speaks for this one."""
    connection.execute(
        sa.update(generation).where(generation.c.id == generation_id).values(state=SUPERSEDED, waits_for=None)
    )


def record_results(
    connection: sa.Connection,
    generation_id: int,
    outcome: dict[str, Any],
    readings: Sequence[dict[str, Any]],
    results: Sequence[RecordedResult],
) -> None:
    """Record the outcome of a generation and its result objects: durable point 2 when the caller commits.

    Parameters
    ----------
    outcome
        Columns of the generation: state, recorded_at, reason_code, reason, made_with.
    readings
        Columns of what each model said: model, scores, familiarity, literature, reason_code, reason.
    """
    columns = outcome | {"waits_for": None}
    connection.execute(sa.update(generation).where(generation.c.id == generation_id).values(columns))
    for row in readings:
        connection.execute(sa.insert(reading).values(generation_id=generation_id, **row))
    for one in results:
        connection.execute(sa.insert(result).values(generation_id=generation_id, **vars(one)))


def results_of(connection: sa.Connection, generation_id: int) -> tuple[RecordedResult, ...]:
    """Return the recorded result objects that were not withdrawn, in the order in which they were made."""
    columns = [result.c[name] for name in RecordedResult.__dataclass_fields__]
    standing = sa.and_(result.c.generation_id == generation_id, result.c.withdrawn_by.is_(None))
    rows = connection.execute(sa.select(*columns).where(standing).order_by(result.c.id))
    return tuple(RecordedResult(*row) for row in rows)


def add_timings(connection: sa.Connection, generation_id: int, spans: Sequence[tuple[str, float, float]]) -> None:
    """Record stages of a generation: name, start (seconds since the epoch), duration in seconds."""
    if spans:
        rows = [
            {"generation_id": generation_id, "stage": stage, "started_at": started, "seconds": seconds}
            for stage, started, seconds in spans
        ]
        connection.execute(sa.insert(timing), rows)


def open_delivery(connection: sa.Connection, generation_id: int, destination: str) -> int:
    """Record that a generation's results are to be delivered, and return the delivery."""
    made = connection.execute(
        sa.insert(delivery).values(generation_id=generation_id, destination=destination, state="waiting")
    )
    (delivery_id,) = made.inserted_primary_key or (0,)
    return int(delivery_id)
