"""Compares what is to be done (the ledger) with what is being done (the engine), and queues what fell out.

A database that was locked for too long, a disk that was full, a bug: whatever made the engine drop a job, the
ledger still says that it is not done.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from dicom_node.engine.app import Queues
from dicom_node.ledger import deliveries, generations
from dicom_node.ledger.database import writing
from dicom_node.observe.events import WorkRevived, say

# Long enough for the transaction that queued it to be seen.
_GRACE_S = 60.0


@dataclass(frozen=True)
class Revival:
    """Queues work again that nobody has in hand.

    Attributes
    ----------
    destinations
        Names that are configured; a delivery to another one is rejected, since nobody listens to its queue.
    """

    database: sa.Engine
    queues: Queues
    destinations: Collection[str]

    def revive(self) -> None:
        """Compare once."""
        before = time.time() - _GRACE_S
        live = self.queues.live()
        with writing(self.database) as connection:
            reads = [key for key in generations.sealed_before(connection, before) if key not in live.reads]
            for key in reads:
                self.queues.read(connection, key, chain=uuid.uuid4().hex)
            waiting = deliveries.waiting(connection, before)
            lost = [one for one in waiting if one.destination in self.destinations and one.id not in live.deliveries]
            for one in lost:
                self.queues.deliver(connection, one.id, one.destination, chain=deliveries.reopen(connection, one.id))
            for one in waiting:
                if one.destination not in self.destinations:
                    deliveries.reject(connection, one.id, deliveries.not_configured(one.destination))
        if reads or lost:
            say(WorkRevived(len(reads), len(lost)))
