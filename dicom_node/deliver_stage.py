"""The second queued stage: delivers what was recorded.

It may run again after a crash at any line: what a destination has is looked at first, and recorded last.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from dicom_node import quirks
from dicom_node.checkpoint import reached
from dicom_node.deliver import (
    Acceptance,
    DeliveryError,
    Destination,
    DestinationUnavailableError,
    RejectedError,
)
from dicom_node.ledger import deliveries, generations, lifecycle, versions
from dicom_node.ledger.database import writing
from dicom_node.ledger.deliveries import Delivery
from dicom_node.ledger.generations import RecordedResult
from dicom_node.ledger.turns import Turns
from dicom_node.observe import events
from dicom_node.observe.events import say
from dicom_node.research import Courier
from dicom_node.results import Results
from dicom_node.study import study_key
from structured_reports.port import ResultObject

Row = dict[str, Any]

LONGEST_WAIT_S = 900.0

# How soon a delivery looks again whether another one of the same study has ended.
TURN_WAIT_S = 0.5


@dataclass(frozen=True)
class DeliverStage:
    """Sends recorded bytes to one destination, until it has them, and copies along a route for research."""

    database: sa.Engine
    results: Results
    destinations: Mapping[str, Destination]
    turns: Turns
    couriers: Mapping[str, Courier] = field(default_factory=dict)

    def __call__(self, delivery_id: int, chain: str) -> float | None:
        """Attempt a delivery; returns the delay until the next attempt, None when done or rejected."""
        with self.database.connect() as connection:
            study_uid, destination = deliveries.about(connection, delivery_id)
        with self.turns.of(study_uid, destination) as is_free:
            return self._attempt(delivery_id, chain) if is_free else TURN_WAIT_S

    def _attempt(self, delivery_id: int, chain: str) -> float | None:
        with writing(self.database) as connection:
            delivery = deliveries.begin_delivery(connection, delivery_id)
            if delivery.state != deliveries.WAITING or delivery.chain != chain:
                return None
            send = self._sending(connection, delivery)
            if send is None:
                deliveries.supersede(connection, delivery.id)
                return None
        reached("delivery-begun")
        begun = time.time()
        try:
            proof = send()
        except RejectedError as error:
            self._reject(delivery, error)
            return None
        except DestinationUnavailableError as error:
            return self._postpone(delivery, str(error), error.retry_after_s, error.accepted)
        except Exception as error:
            return self._postpone(delivery, f"{delivery.destination}: unexpected {events.name_of(error)}", None)
        reached("delivery-accepted")
        self._accept(delivery, proof, begun)
        return None

    def _sending(self, connection: sa.Connection, delivery: Delivery) -> Callable[[], tuple[Acceptance, ...]] | None:
        """Return what sends a delivery; None where a later generation speaks for all of it."""
        if courier := self.couriers.get(delivery.destination):
            instances = generations.load(connection, delivery.generation_id).instances
            return partial(courier.deliver, instances)
        recorded = generations.results_of(connection, delivery.generation_id)
        wanted = _not_replaced(connection, delivery, recorded)
        return None if recorded and not wanted else partial(self._deliver, delivery, wanted)

    def _deliver(self, delivery: Delivery, recorded: Sequence[RecordedResult]) -> tuple[Acceptance, ...]:
        destination = self.destinations.get(delivery.destination)
        if destination is None:
            raise RejectedError(deliveries.not_configured(delivery.destination))
        wanted = [one for one in recorded if destination.takes(_without_content(one))]
        objects = [self._load(delivery, one) for one in _not_in_another_form(wanted, delivery.proof)]
        return quirks.deliver(self.database, destination, objects)

    def _load(self, delivery: Delivery, recorded: RecordedResult) -> ResultObject:
        result = self.results.read(recorded)
        if hashlib.sha256(result.content).hexdigest() != recorded.sha256:
            raise RejectedError(f"{delivery.destination}: {recorded.kind}: the recorded bytes have changed on disk")
        return result

    def _accept(self, delivery: Delivery, proof: Sequence[Acceptance], begun: float) -> None:
        now = time.time()
        with writing(self.database) as connection:
            deliveries.accept(connection, delivery.id, _with_earlier(delivery, proof), now)
            generations.add_timings(
                connection, delivery.generation_id, [(f"deliver {delivery.destination}", begun, now - begun)]
            )
        reached("delivery-recorded")
        say(events.Delivered(study_key(delivery.study_uid), delivery.destination, delivery.attempts))

    def _postpone(
        self, delivery: Delivery, error: str, retry_after_s: float | None, accepted: Sequence[Acceptance] = ()
    ) -> float:
        # Exponential with jitter: after an outage not everything comes back in the same second.
        backoff = min(2.0 ** min(delivery.attempts - 1, 12), LONGEST_WAIT_S) * random.uniform(0.8, 1.2)  # noqa: S311
        wait_s = retry_after_s if retry_after_s is not None else backoff
        with writing(self.database) as connection:
            proof = _with_earlier(delivery, accepted)
            deliveries.postpone(connection, delivery.id, error, proof, time.time() + wait_s)
        study = study_key(delivery.study_uid)
        say(events.DeliveryDelayed(study, delivery.destination, delivery.attempts, wait_s, error))
        return wait_s

    def _reject(self, delivery: Delivery, error: DeliveryError) -> None:
        with writing(self.database) as connection:
            deliveries.reject(connection, delivery.id, str(error), _with_earlier(delivery, error.accepted))
        study = study_key(delivery.study_uid)
        say(events.DeliveryRejected(study, delivery.destination, delivery.attempts, str(error)))


def _not_replaced(
    connection: sa.Connection, delivery: Delivery, recorded: Sequence[RecordedResult]
) -> Sequence[RecordedResult]:
    """Return the results that no later generation speaks for; what takes results back is never replaced."""
    if delivery.cause == lifecycle.WITHDRAWAL:
        return recorded
    spoken = versions.spoken_for(connection, delivery.study_uid, delivery.number)
    return [one for one in recorded if not spoken.covers(one.model)]


def _not_in_another_form(wanted: Sequence[RecordedResult], proof: Sequence[Row]) -> list[RecordedResult]:
    """Return the results without the alternatives to those that an earlier attempt brought there.

    What the peer accepts may have changed since: the same result must not lie there twice.
    """
    there = {(one["uid"], one.get("form", "")) for one in proof}
    settled = {_group(one): one for one in wanted if (one.uid, one.form) in there}
    return [one for one in wanted if settled.get(_group(one), one) is one]


def _group(recorded: RecordedResult) -> str:
    return recorded.alternative_to or recorded.uid


def _with_earlier(delivery: Delivery, accepted: Sequence[Acceptance]) -> list[Row]:
    """Return what was accepted, and before it what earlier attempts brought that this one did not reach."""
    now = [asdict(one) for one in accepted]
    return [one for one in delivery.proof if one["uid"] not in {again["uid"] for again in now}] + now


def _without_content(recorded: RecordedResult) -> ResultObject:
    return ResultObject(
        recorded.kind,
        recorded.uid,
        recorded.media_type,
        b"",
        recorded.sop_class_uid,
        recorded.transfer_syntax_uid,
        form=recorded.form,
        alternative_to=recorded.alternative_to,
    )
