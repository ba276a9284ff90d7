"""What probes learned of each destination: the newest finding, with its time."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dicom_node.ledger.schema import probe

Row = dict[str, Any]


def keep(connection: sa.Connection, destination: str, probed_at: float, found: Row) -> None:
    """Keep what a probe found, in place of what an earlier one did."""
    connection.execute(sa.delete(probe).where(probe.c.destination == destination))
    connection.execute(sa.insert(probe).values(destination=destination, probed_at=probed_at, found=found))


def of(connection: sa.Connection, destination: str) -> Row | None:
    """Return what the newest probe of a destination found; None where it was never probed."""
    found: Row | None = connection.execute(
        sa.select(probe.c.found).where(probe.c.destination == destination)
    ).scalar_one_or_none()
    return found


def newest(connection: sa.Connection) -> list[Row]:
    """Return the destinations that were probed, by name."""
    return [row._asdict() for row in connection.execute(sa.select(probe).order_by(probe.c.destination))]
