"""Versions and withdrawals of the results of a study.

A generation comes from images that arrived, from an operator (`rerun` reads the instances again, `withdrawal` takes
results back), or from a deadline that passed. A withdrawal stands until an operator's rerun: what it took back does not
return by itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dicom_node.ledger import deliveries
from dicom_node.ledger.deliveries import SUPERSEDED, WAITING
from dicom_node.ledger.generations import (
    FAILED,
    SEALED,
    WITHDRAWN,
    WITHHELD,
    Generation,
    RecordedResult,
    open_delivery,
    record_results,
)
from dicom_node.ledger.schema import delivery, generation, instance, result
from structured_reports.lifecycle import model_name

IMAGES, RERUN, WITHDRAWAL = "images", "rerun", "withdrawal"
DEADLINE = "deadline"
"""Cause of a generation that is read after it was told that its study was not read in time."""


@dataclass(frozen=True)
class Unread:
    """A generation that is sealed and not read."""

    id: int
    sealed_at: float
    waits_for: str | None


@dataclass(frozen=True)
class Sent:
    """A result that stands and may be at a destination.

    Attributes
    ----------
    row
        Key of the result.
    destinations
        Those that took it, or were asked to and may have.
    """

    row: int
    generation_id: int
    recorded: RecordedResult
    destinations: tuple[str, ...]


@dataclass(frozen=True)
class Withdrawal:
    """Results that an operator takes back."""

    generation_id: int
    number: int
    at: float


def withdrawn_models(connection: sa.Connection, read: Generation) -> frozenset[str]:
    """Return the models whose results must not be recorded for a generation; an empty name stands for all.

    A withdrawal holds until an operator has the study read again.
    """
    if read.cause == RERUN:
        since = read.id
    else:
        reruns = sa.select(sa.func.max(generation.c.id)).where(
            generation.c.study_uid == read.study_uid, generation.c.cause == RERUN
        )
        since = connection.execute(reruns).scalar_one() or 0
    standing = sa.select(generation.c.withdrawn_model).where(
        generation.c.study_uid == read.study_uid, generation.c.cause == WITHDRAWAL, generation.c.id > since
    )
    return frozenset(connection.execute(standing).scalars())


def withhold(connection: sa.Connection, generation_id: int) -> None:
    """Note that a generation is not read, or its results not kept, since those of its study are withdrawn."""
    connection.execute(
        sa.update(generation)
        .where(generation.c.id == generation_id)
        .values(
            state=WITHHELD,
            waits_for=None,
            reason_code=WITHDRAWN,
            reason="the results of this study were withdrawn; `dicom-node rerun` has it read again",
        )
    )


def open_rerun(connection: sa.Connection, study_uid: str, note: str, now: float) -> tuple[int, int, bool]:
    """Return key and number of a generation over the instances that a study has, and whether it is new.

    A rerun that is not read yet is not doubled.
    """
    waiting = sa.select(generation.c.id, generation.c.number).where(
        generation.c.study_uid == study_uid, generation.c.state == SEALED, generation.c.cause == RERUN
    )
    if (row := connection.execute(waiting.order_by(generation.c.id.desc()).limit(1)).first()) is not None:
        return int(row.id), int(row.number), False
    key, number = _insert(connection, study_uid, state=SEALED, sealed_at=now, cause=RERUN, note=note)
    return key, number, True


def unread(connection: sa.Connection, sealed_before: float) -> list[Unread]:
    """Return what was sealed before a time and is not read; nothing of which it was told that it is late."""
    query = sa.select(generation.c.id, generation.c.sealed_at, generation.c.waits_for).where(
        generation.c.state == SEALED, generation.c.cause != DEADLINE, generation.c.sealed_at <= sealed_before
    )
    return [Unread(*row) for row in connection.execute(query.order_by(generation.c.id))]


def open_late_reading(connection: sa.Connection, study_uid: str, now: float) -> int:
    """Return the key of a generation over the instances that a study has, to be read after its deadline."""
    key, _ = _insert(connection, study_uid, state=SEALED, sealed_at=now, cause=DEADLINE)
    return key


def reopen_failed(connection: sa.Connection, study_uid: str | None, now: float) -> list[int]:
    """Return the keys of new generations in the place of those that could not be read for a fault of the node.

    Parameters
    ----------
    study_uid
        None for every study.
    """
    latest = sa.select(sa.func.max(generation.c.id)).group_by(generation.c.study_uid)
    failed = sa.select(generation.c.study_uid, generation.c.cause, generation.c.note).where(
        generation.c.reason_code == FAILED, generation.c.id.in_(latest)
    )
    if study_uid is not None:
        failed = failed.where(generation.c.study_uid == study_uid)
    return [
        _insert(connection, row.study_uid, state=SEALED, sealed_at=now, cause=row.cause, note=row.note)[0]
        for row in connection.execute(failed.order_by(generation.c.id)).all()
    ]


def has_instances(connection: sa.Connection, study_uid: str) -> bool:
    """Return whether any instance of a study belongs to a generation, so that it can be read again."""
    query = sa.select(instance.c.id).where(
        instance.c.study_uid == study_uid, instance.c.generation_id.is_not(None), ~instance.c.own, ~instance.c.conflict
    )
    return connection.execute(query.limit(1)).first() is not None


def standing_results(
    connection: sa.Connection, study_uid: str, model: str | None, routes: Collection[str] = ()
) -> list[Sent]:
    """Return the results of all generations of a study that were not withdrawn, with who may have them.

    Parameters
    ----------
    model
        Name, or name and version; None for every result.
    routes
        Names of the routes for research: they are brought copies of instances, and no result.
    """
    columns = [result.c[name] for name in RecordedResult.__dataclass_fields__]
    query = (
        sa.select(result.c.id, result.c.generation_id, *columns)
        .join(generation, result.c.generation_id == generation.c.id)
        .where(
            generation.c.study_uid == study_uid,
            generation.c.cause != WITHDRAWAL,
            result.c.withdrawn_by.is_(None),
        )
        .order_by(result.c.id)
    )
    found = []
    for key, generation_id, *values in connection.execute(query):
        recorded = RecordedResult(*values)
        if model is None or model in (recorded.model, model_name(recorded.model)):
            holders = [one for one in _holders(connection, generation_id, recorded.uid) if one not in routes]
            found.append(Sent(key, generation_id, recorded, tuple(holders)))
    return found


def recorded_models(connection: sa.Connection, study_uid: str) -> list[str]:
    """Return the models of which results of a study were ever recorded; an empty name where none gave one."""
    query = (
        sa.select(result.c.model)
        .join(generation, result.c.generation_id == generation.c.id)
        .where(generation.c.study_uid == study_uid, generation.c.cause != WITHDRAWAL)
        .distinct()
        .order_by(result.c.model)
    )
    return list(connection.execute(query).scalars())


def _holders(connection: sa.Connection, generation_id: int, uid: str) -> tuple[str, ...]:
    """Return who took an instance; of an attempt whose end is not known it is assumed that it did."""
    rows = connection.execute(
        sa.select(delivery.c.destination, delivery.c.state, delivery.c.attempts, delivery.c.proof)
        .where(delivery.c.generation_id == generation_id)
        .order_by(delivery.c.id)
    )
    return tuple(
        row.destination
        for row in rows
        if any(one["uid"] == uid for one in row.proof or ()) or _may_have(row.state, row.attempts)
    )


def _may_have(state: str, attempts: int) -> bool:
    """Return whether the end of an attempt is not known.

    The attempt that finds a delivery superseded sends nothing, and the end of the one that was rejected is known.
    """
    return (state == WAITING and attempts > 0) or (state in (SUPERSEDED, deliveries.REJECTED) and attempts > 1)


def begin_withdrawal(
    connection: sa.Connection, study_uid: str, now: float, *, code: str, reason: str, note: str, model: str
) -> Withdrawal:
    """Open the generation of a withdrawal; the caller records its objects in the same transaction."""
    key, number = _insert(
        connection,
        study_uid,
        state=WITHDRAWN,
        sealed_at=now,
        cause=WITHDRAWAL,
        note=note,
        withdrawn_model=model,
        reason_code=code,
        reason=reason,
    )
    return Withdrawal(key, number, now)


def next_number(connection: sa.Connection, study_uid: str) -> int:
    """Return the number that the next generation of a study has."""
    last = sa.select(sa.func.coalesce(sa.func.max(generation.c.number), 0)).where(generation.c.study_uid == study_uid)
    return int(connection.execute(last).scalar_one()) + 1


def record_withdrawal(
    connection: sa.Connection,
    withdrawal: Withdrawal,
    withdrawn: Sequence[Sent],
    objects: Sequence[RecordedResult],
    destinations: Collection[str],
    made_with: dict[str, Any],
) -> list[int]:
    """Record what takes results back, stop what still waits of them, and return the deliveries to queue."""
    keys = [one.row for one in withdrawn]
    connection.execute(sa.update(result).where(result.c.id.in_(keys)).values(withdrawn_by=withdrawal.generation_id))
    _stop_deliveries(connection, {one.generation_id for one in withdrawn})
    outcome = {"recorded_at": withdrawal.at, "made_with": made_with}
    record_results(connection, withdrawal.generation_id, outcome, [], objects)
    return [open_delivery(connection, withdrawal.generation_id, name) for name in destinations]


def _stop_deliveries(connection: sa.Connection, generation_ids: Collection[int]) -> None:
    """End the deliveries of generations of which no result stands any more."""
    standing = sa.select(result.c.generation_id).where(result.c.withdrawn_by.is_(None))
    connection.execute(
        sa.update(delivery)
        .where(
            delivery.c.generation_id.in_(generation_ids),
            delivery.c.generation_id.not_in(standing),
            delivery.c.state.in_([WAITING, deliveries.REJECTED]),
        )
        .values(state=SUPERSEDED, error=None, next_at=None)
    )


def _insert(connection: sa.Connection, study_uid: str, **columns: Any) -> tuple[int, int]:  # noqa: ANN401 - values
    number = next_number(connection, study_uid)
    columns.setdefault("quiet_ended_at", columns.get("sealed_at", time.time()))
    made = connection.execute(sa.insert(generation).values(study_uid=study_uid, number=number, **columns))
    (key,) = made.inserted_primary_key or (0,)
    return int(key), number
