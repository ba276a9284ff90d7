"""What operators ask the ledger: plain rows, newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from dicom_node.ledger.generations import NODE_FAULT, REFUSED
from dicom_node.ledger.schema import association, delivery, executor, generation, instance, reading, result, timing
from dicom_node.study import study_key

Row = dict[str, Any]


def find_studies(connection: sa.Connection, wanted: str) -> list[str]:
    """Return the Study Instance UIDs of the studies that are meant: that of a UID, or all whose key begins so."""
    uids = connection.execute(sa.select(instance.c.study_uid).distinct()).scalars().all()
    return [wanted] if wanted in uids else [uid for uid in uids if study_key(uid).startswith(wanted)]


def newest_studies(connection: sa.Connection, limit: int) -> list[Row]:
    """Return the newest studies with their latest generation and its deliveries."""
    last = sa.func.max(instance.c.stored_at).label("stored_at")
    query = (
        sa.select(instance.c.study_uid, sa.func.count().label("instances"), _conflicts().label("conflicts"), last)
        .group_by(instance.c.study_uid)
        .order_by(last.desc())
        .limit(limit)
    )
    return [_study(connection, row._asdict()) for row in connection.execute(query)]


def _study(connection: sa.Connection, row: Row) -> Row:
    latest = generations_of(connection, row["study_uid"])[-1:]
    return row | {"latest": latest[0] if latest else None}


def generations_of(connection: sa.Connection, study_uid: str) -> list[Row]:
    """Return the generations of a study, oldest first, each with readings, results, deliveries and timings."""
    query = sa.select(generation).where(generation.c.study_uid == study_uid).order_by(generation.c.number)
    return [
        row._asdict()
        | {
            "readings": _rows(connection, reading, row.id),
            "results": _rows(connection, result, row.id),
            "deliveries": _rows(connection, delivery, row.id),
            "timings": _rows(connection, timing, row.id),
        }
        for row in connection.execute(query)
    ]


def _rows(connection: sa.Connection, table: sa.Table, generation_id: int) -> list[Row]:
    query = sa.select(table).where(table.c.generation_id == generation_id).order_by(table.c.id)
    return [row._asdict() for row in connection.execute(query)]


def instances_of(connection: sa.Connection, study_uid: str) -> list[Row]:
    """Return the instances of a study with the sender of each."""
    query = (
        sa.select(instance, association.c.calling_ae, association.c.released_at, association.c.quiet_s)
        .join(association, instance.c.association_id == association.c.id)
        .where(instance.c.study_uid == study_uid)
        .order_by(instance.c.id)
    )
    return [row._asdict() for row in connection.execute(query)]


def waiting(connection: sa.Connection) -> Row:
    """Return how much waits at each point."""
    unsealed = sa.select(sa.func.count(instance.c.study_uid.distinct())).where(
        instance.c.generation_id.is_(None), ~instance.c.own, ~instance.c.conflict
    )
    sealed = sa.select(sa.func.count()).select_from(generation).where(generation.c.state == "sealed")
    held = generation.c.waits_for.is_not(None)
    by_node = generation.c.waits_for.startswith(NODE_FAULT, autoescape=True)
    return {
        "arriving": connection.execute(unsealed).scalar_one(),
        "being read": connection.execute(sealed.where(~held)).scalar_one(),
        "waiting for a model": connection.execute(sealed.where(held, ~by_node)).scalar_one(),
        "held up by a fault of the node": connection.execute(sealed.where(by_node)).scalar_one(),
        **_undelivered(connection),
    }


def conflicts(connection: sa.Connection) -> int:
    """Return how many instances have the SOP Instance UID of another one and other bytes: none of them is read."""
    return int(connection.execute(sa.select(_conflicts())).scalar_one())


def _conflicts() -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((instance.c.conflict, 1), else_=0)), 0)


def untold(connection: sa.Connection) -> int:
    """Return how many studies were refused and have no result object, so that nobody was told of them."""
    latest = sa.select(sa.func.max(generation.c.id)).group_by(generation.c.study_uid)
    told = sa.select(generation.c.study_uid).join(result, result.c.generation_id == generation.c.id)
    query = sa.select(sa.func.count()).where(
        generation.c.id.in_(latest), generation.c.state == REFUSED, generation.c.study_uid.not_in(told)
    )
    return int(connection.execute(query).scalar_one())


def model_faults(connection: sa.Connection) -> Mapping[str, str]:
    """Return the models that a worker cannot use, and why."""
    faults: dict[str, str] = {}
    for of_one in connection.execute(sa.select(executor.c.faults).order_by(executor.c.id)).scalars():
        faults |= of_one or {}
    return faults


def _undelivered(connection: sa.Connection) -> Row:
    query = (
        sa.select(delivery.c.destination, delivery.c.state, sa.func.count())
        .where(delivery.c.state != "delivered")
        .group_by(delivery.c.destination, delivery.c.state)
    )
    return {f"{state} for {destination}": count for destination, state, count in connection.execute(query)}


def stage_seconds(connection: sa.Connection, last: int = 100) -> Mapping[str, Sequence[float]]:
    """Return the durations of each stage over the last generations, in the order in which stages run.

    ``total`` runs from the end of the quiet time to the last acceptance.
    """
    newest = sa.select(generation.c.id).order_by(generation.c.id.desc()).limit(last)
    query = (
        sa.select(timing.c.stage, timing.c.seconds)
        .where(timing.c.generation_id.in_(newest))
        .order_by(timing.c.generation_id, timing.c.id)
    )
    totals = (
        sa.select(sa.func.max(delivery.c.accepted_at) - generation.c.quiet_ended_at)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .where(generation.c.id.in_(newest))
        .group_by(generation.c.id, generation.c.quiet_ended_at)
    )
    stages = _by_first((stage, seconds) for stage, seconds in connection.execute(query))
    stages["total"] = [value for value in connection.execute(totals).scalars() if value is not None]
    return stages


def _by_first(pairs: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    grouped: dict[str, list[float]] = defaultdict(list)
    for stage, seconds in pairs:
        grouped[stage].append(seconds)
    return grouped
