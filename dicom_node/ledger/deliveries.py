"""Deliveries: the results of one generation on their way to one destination.

::

    waiting ──► delivered     every object accepted, the proof recorded
       ▲  │
       │  └───► rejected      a person must look; `dicom-node retry` sends it again
       └── unavailable: tried again later, without limit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dicom_node.ledger.schema import delivery, generation

WAITING, DELIVERED, REJECTED = "waiting", "delivered", "rejected"


@dataclass(frozen=True)
class Delivery:
    """A delivery, with the study that it is about.

    Attributes
    ----------
    attempts
        How often it was begun, this time included.
    proof
        What the destination said of each object.
    """

    id: int
    generation_id: int
    study_uid: str
    destination: str
    state: str
    attempts: int
    proof: Sequence[dict[str, Any]]


def begin_delivery(connection: sa.Connection, delivery_id: int) -> Delivery:
    """Return a delivery and count the attempt."""
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(attempts=delivery.c.attempts + 1))
    columns = (delivery.c.id, delivery.c.generation_id, generation.c.study_uid, delivery.c.destination,
               delivery.c.state, delivery.c.attempts, delivery.c.proof)  # fmt: skip
    row = connection.execute(
        sa.select(*columns)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .where(delivery.c.id == delivery_id)
    ).one()
    return Delivery(*row[:6], row.proof or ())


def accept(connection: sa.Connection, delivery_id: int, proof: Sequence[dict[str, Any]], now: float) -> None:
    """Record that every object was accepted: durable point 3 when the caller commits."""
    _set(connection, delivery_id, state=DELIVERED, proof=list(proof), accepted_at=now, error=None, next_at=None)


def postpone(
    connection: sa.Connection, delivery_id: int, error: str, proof: Sequence[dict[str, Any]], next_at: float
) -> None:
    """Record why a delivery waits and until when, and what was taken before that."""
    _set(connection, delivery_id, error=error, proof=list(proof), next_at=next_at)


def reject(connection: sa.Connection, delivery_id: int, error: str, proof: Sequence[dict[str, Any]]) -> None:
    """Record that the destination will not take it by itself, and what it took beside that."""
    _set(connection, delivery_id, state=REJECTED, error=error, proof=list(proof), next_at=None)


def reopen(connection: sa.Connection, delivery_id: int) -> None:
    """Let a delivery wait for its next attempt, now."""
    _set(connection, delivery_id, state=WAITING, next_at=None)


def undelivered(connection: sa.Connection, study_uid: str | None = None) -> list[tuple[int, str, int]]:
    """Return delivery, destination and attempts of what is not delivered, of one study or of all."""
    query = (
        sa.select(delivery.c.id, delivery.c.destination, delivery.c.attempts)
        .join(generation, delivery.c.generation_id == generation.c.id)
        .where(delivery.c.state != DELIVERED)
        .order_by(delivery.c.id)
    )
    if study_uid is not None:
        query = query.where(generation.c.study_uid == study_uid)
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _set(connection: sa.Connection, delivery_id: int, **values: Any) -> None:  # noqa: ANN401 - column values
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(**values))
