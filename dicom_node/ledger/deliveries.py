"""Deliveries: the results of one generation on their way to one destination.

::

    waiting ──► delivered     every object accepted, the proof recorded
       │ ├────► superseded    a later result of the study came first
       ▲  │
       │  └───► rejected      a person must look; `dicom-node retry` sends it again
       └── unavailable: tried again later, without limit
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dicom_node.ledger.schema import delivery, generation

WAITING, DELIVERED, REJECTED, SUPERSEDED = "waiting", "delivered", "rejected", "superseded"


@dataclass(frozen=True)
class Delivery:
    """A delivery, with the study that it is about.

    Attributes
    ----------
    attempts
        How often it was begun, this time included.
    proof
        What the destination said of each object.
    chain
        Attempts of another chain are void.
    number, cause
        Of the generation.
    """

    id: int
    generation_id: int
    study_uid: str
    destination: str
    state: str
    attempts: int
    proof: Sequence[dict[str, Any]]
    chain: str
    number: int
    cause: str


@dataclass(frozen=True)
class Undelivered:
    """A delivery that no destination has accepted."""

    id: int
    destination: str


def begin_delivery(connection: sa.Connection, delivery_id: int) -> Delivery:
    """Return a delivery and count the attempt."""
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(attempts=delivery.c.attempts + 1))
    columns = (
        delivery.c.id,
        delivery.c.generation_id,
        generation.c.study_uid,
        delivery.c.destination,
        delivery.c.state,
        delivery.c.attempts,
        delivery.c.proof,
        delivery.c.chain,
        generation.c.number,
        generation.c.cause,
    )
    row = connection.execute(
        sa.select(*columns)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .where(delivery.c.id == delivery_id)
    ).one()
    return Delivery(**{**row._asdict(), "proof": row.proof or ()})


def about(connection: sa.Connection, delivery_id: int) -> tuple[str, str]:
    """Return study and destination of a delivery."""
    query = (
        sa.select(generation.c.study_uid, delivery.c.destination)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .where(delivery.c.id == delivery_id)
    )
    study_uid, destination = connection.execute(query).one()
    return study_uid, destination


def accept(connection: sa.Connection, delivery_id: int, proof: Sequence[dict[str, Any]], now: float) -> None:
    """Record that every object was accepted: durable point 3 when the caller commits."""
    _set(connection, delivery_id, state=DELIVERED, proof=list(proof), accepted_at=now, error=None, next_at=None)


def postpone(
    connection: sa.Connection, delivery_id: int, error: str, proof: Sequence[dict[str, Any]], next_at: float
) -> None:
    """Record why a delivery waits and until when, and what was taken before that."""
    _set_waiting(connection, delivery_id, error=error, proof=list(proof), next_at=next_at)


def reject(connection: sa.Connection, delivery_id: int, error: str, proof: Sequence[dict[str, Any]] = ()) -> None:
    """Record that the destination will not take it by itself, and what it took beside that."""
    _set_waiting(connection, delivery_id, state=REJECTED, error=error, proof=list(proof), next_at=None)


def supersede(connection: sa.Connection, delivery_id: int) -> None:
    """Record that a later result of the study speaks for this one, which was not delivered before it."""
    _set_waiting(connection, delivery_id, state=SUPERSEDED, error=None, next_at=None)


def reopen(connection: sa.Connection, delivery_id: int) -> str:
    """Let a delivery wait for its next attempt, now; returns the chain of which attempts count from here on."""
    chain = uuid.uuid4().hex
    # Waits begin short again; but that there was an attempt, of which nobody may know the end, is kept.
    before = sa.case((delivery.c.attempts > 0, 1), else_=0)
    _set(connection, delivery_id, state=WAITING, next_at=None, attempts=before, chain=chain)
    return chain


def not_configured(destination: str) -> str:
    """Return what is said of a destination that the settings no longer name."""
    return f"{destination}: no destination of this name is configured"


def waiting(connection: sa.Connection, recorded_before: float) -> list[Undelivered]:
    """Return the deliveries that wait, of results that were recorded before a time."""
    query = _undelivered().where(delivery.c.state == WAITING, generation.c.recorded_at < recorded_before)
    return [Undelivered(*row) for row in connection.execute(query)]


def undelivered(connection: sa.Connection, study_uid: str | None = None) -> list[Undelivered]:
    """Return what waits or was rejected, of one study or of all."""
    query = _undelivered().where(delivery.c.state.in_([WAITING, REJECTED]))
    if study_uid is not None:
        query = query.where(generation.c.study_uid == study_uid)
    return [Undelivered(*row) for row in connection.execute(query)]


def _undelivered() -> sa.Select[Any]:
    return (
        sa.select(delivery.c.id, delivery.c.destination)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .order_by(delivery.c.id)
    )


def _set(connection: sa.Connection, delivery_id: int, **values: Any) -> None:  # noqa: ANN401 - column values
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(**values))


def _set_waiting(connection: sa.Connection, delivery_id: int, **values: Any) -> None:  # noqa: ANN401 - column values
    """Change a delivery that still waits: an acceptance is never undone by a parallel attempt that failed."""
    still = sa.and_(delivery.c.id == delivery_id, delivery.c.state == WAITING)
    connection.execute(sa.update(delivery).where(still).values(**values))
