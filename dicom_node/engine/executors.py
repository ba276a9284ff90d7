"""Executors that are alive, and what dead ones left.

dbos takes up the work of an executor when one of the same name starts again. A host that never comes back
(scaled out on Postgres) is noticed here by its silence, and its work queued again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sqlalchemy as sa

from dicom_node.engine.app import Queues
from dicom_node.ledger.database import writing
from dicom_node.ledger.schema import executor
from dicom_node.observe.events import WorkRecovered, say

SILENT_S = 90.0


@dataclass(frozen=True)
class Executors:
    """The table in which executors say that they live."""

    database: sa.Engine
    queues: Queues

    def beat(self, name: str, faults: Mapping[str, str] = MappingProxyType({})) -> None:
        """Note that an executor is alive, and which models it cannot use."""
        with writing(self.database) as connection:
            noted = {"seen_at": now_of(connection), "faults": dict(faults)}
            row = sa.update(executor).where(executor.c.id == name).values(noted)
            if not connection.execute(row).rowcount:
                connection.execute(sa.insert(executor).values(id=name, **noted))

    def reap(self, alive: str) -> None:
        """Queue again what silent executors were doing."""
        with self.database.connect() as connection:
            silent = executor.c.seen_at < now_of(connection) - SILENT_S
            names = list(connection.execute(sa.select(executor.c.id).where(silent, executor.c.id != alive)).scalars())
        for name in names:
            if adopted := self.queues.adopt(name):
                say(WorkRecovered(name, adopted))
            with writing(self.database) as connection:
                silent = executor.c.seen_at < now_of(connection) - SILENT_S
                connection.execute(sa.delete(executor).where(executor.c.id == name, silent))


def now_of(connection: sa.Connection) -> float:
    """Return the time on the clock that all executors share, in seconds since the epoch."""
    if connection.dialect.name == "postgresql":  # its hosts need not agree on the time
        return float(connection.execute(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))).scalar_one())
    return time.time()
