"""Runs durable work: the one module that knows dbos.

Rules that the library needs are kept here: a constant application version (work in flight survives an
upgrade), a stable executor name behind a lock (two of one name would run each other's work), a limit on every
queue, portable JSON in the database, and only ledger keys as arguments (no identity in a payload).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions

from dicom_node.ledger.database import writing
from dicom_node.observe.events import StageFailed, name_of, say

# Work that was queued by one release is done by the next: change only together with the workflows' arguments.
APPLICATION_VERSION = "pipeline-1"

# A neighbour that kills the process costs an innocent workflow one of these.
_MOST_RECOVERIES = 20

READ = "read"
_DELIVER = "deliver"

FIRST = "first"
"""Chain of attempts that begins when work is recorded."""

FAILED_WAIT_S = 30.0
"""Delay after an attempt that failed before it could say when to try again."""

Stage = Callable[[int, str], float | None]
"""Does the work of a ledger key, for a chain of attempts; returns the delay in seconds after which to try again, or
None when done."""


def delivery_queue(destination: str) -> str:
    """Return the queue of one destination: a slow one delays no other."""
    return f"{_DELIVER}-{destination}"


def _config(database: sa.Engine, executor: str, *, migrate: bool) -> DBOSConfig:
    return {
        "name": "dicom-node",
        "system_database_engine": database,
        "executor_id": executor,
        "application_version": APPLICATION_VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "run_migrations": migrate,
        "max_executor_threads": 64,
        "log_level": "ERROR",
    }


def migrate_engine(database: sa.Engine) -> None:
    """Create or update the engine's own tables; once, before the processes start that share them."""
    DBOS(config=_config(database, "migration", migrate=True))
    DBOS.listen_queues([])
    try:
        DBOS.launch()
    finally:
        DBOS.destroy(destroy_registry=True)


@dataclass(frozen=True)
class Live:
    """Ledger keys of work that the engine has in hand."""

    reads: frozenset[int]
    deliveries: frozenset[int]


class Queues:
    """Puts work into the queues, inside the transaction that records why."""

    def __init__(self, database: sa.Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name="dicom-node",
            lazy=True,
        )

    def read(self, connection: sa.Connection, generation_id: int, *, chain: str = FIRST) -> None:
        """Queue the reading of a generation."""
        self.enqueue(connection, READ, READ, generation_id, chain)

    def deliver(self, connection: sa.Connection, delivery_id: int, destination: str, *, chain: str = FIRST) -> None:
        """Queue a delivery."""
        self.enqueue(connection, delivery_queue(destination), _DELIVER, delivery_id, chain)

    def enqueue(
        self,
        connection: sa.Connection,
        queue: str,
        workflow: str,
        key: int,
        chain: str,
        attempt: int = 1,
        delay_s: float = 0.0,
    ) -> None:
        """Queue one attempt; the same attempt of the same chain twice is once."""
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "workflow_id": f"{workflow}/{key}/{chain}/{attempt}",
            "app_version": APPLICATION_VERSION,
        }
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self._client.enqueue_in_transaction(connection, options, queue, key, chain, attempt)

    def live(self) -> Live:
        """Return what is queued, delayed or being done."""
        names: dict[str, set[int]] = {READ: set(), _DELIVER: set()}
        for workflow in self._client.list_workflows(
            status=["ENQUEUED", "DELAYED", "PENDING"], load_input=False, load_output=False
        ):
            name, _, rest = workflow.workflow_id.partition("/")
            if name in names:
                names[name].add(int(rest.partition("/")[0]))
        return Live(frozenset(names[READ]), frozenset(names[_DELIVER]))

    def adopt(self, executor: str) -> int:
        """Queue again what a dead executor was doing; returns how many."""
        stranded = self._client.list_workflows(
            status="PENDING", executor_id=executor, load_input=False, load_output=False
        )
        for workflow in stranded:
            self._client.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)
        return len(stranded)


@dataclass(frozen=True)
class Worker:
    """What an executor works on.

    Attributes
    ----------
    read, deliver
        The stages; see `Stage`.
    concurrency
        Queue name to how many of its jobs run here at once.
    """

    read: Stage
    deliver: Stage
    concurrency: Mapping[str, int]
    poll_s: float


@contextmanager
def working(database: sa.Engine, executor: str, worker: Worker, queues: Queues) -> Iterator[None]:
    """Work on the queues while the block runs; what an earlier run of this executor left is taken up first."""
    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS(config=_config(database, executor, migrate=False))
    _register(database, worker, queues)
    DBOS.listen_queues(list(worker.concurrency))
    DBOS.launch()
    for queue, most in worker.concurrency.items():
        DBOS.register_queue(
            queue, worker_concurrency=most, polling_interval_sec=worker.poll_s, on_conflict="always_update"
        )
    try:
        yield
    finally:
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=20)


def _register(database: sa.Engine, worker: Worker, queues: Queues) -> None:
    def again(queue: str, name: str, key: int, chain: str, attempt: int, delay_s: float) -> None:
        with writing(database) as connection:
            queues.enqueue(connection, queue, name, key, chain, attempt, delay_s)

    def workflow(name: str, stage: Stage) -> None:
        def run(queue: str, key: int, chain: str, attempt: int) -> None:
            delay_s: Any = DBOS.run_step({"name": name}, _guarded(name, stage), key, chain)
            if delay_s is not None:
                # A new delayed attempt, not a sleep: it frees the slot while a PACS is down.
                DBOS.run_step({"name": "again"}, again, queue, name, key, chain, attempt + 1, delay_s)

        DBOS.workflow(name=name, max_recovery_attempts=_MOST_RECOVERIES)(run)

    workflow(READ, worker.read)
    workflow(_DELIVER, worker.deliver)


def _guarded(name: str, stage: Stage) -> Stage:
    """Return a stage that never raises: a workflow that ends in an error would never be taken up again."""

    def attempt(key: int, chain: str) -> float | None:
        try:
            return stage(key, chain)
        except Exception as error:
            say(StageFailed(name, key, name_of(error)))
            return FAILED_WAIT_S

    return attempt
