"""Looks at the ledger, and starts what is due: films that arrived, studies that are complete.

It decides from what is recorded alone, so a killed watcher forgets nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from dicom_node.checkpoint import reached
from dicom_node.engine.app import Queues
from dicom_node.engine.executors import Executors
from dicom_node.engine.revival import Revival
from dicom_node.films import Source
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import arrived_since, due, seal_due
from dicom_node.observe.events import StudySealed, WatchFailed, name_of, say
from dicom_node.roster import Roster
from dicom_node.spool.spool import Spool
from dicom_node.study import study_key
from inference.serving.watchdog import EXIT_STATUS

_TICK_S = 0.05
_BEAT_S = 10.0
_LOOK_S = 10.0


def end_worker() -> None:
    """End this process: its supervisor starts another, and the engine gives it the work that this one held."""
    os._exit(EXIT_STATUS)


@dataclass(frozen=True)
class Watch:
    """One look every few milliseconds; a look is an indexed query.

    Attributes
    ----------
    seals
        Whether this process seals studies (one a host does).
    restart
        Ends this process where only another one can use its devices.
    """

    database: sa.Engine
    spool: Spool
    roster: Roster
    queues: Queues
    executors: Executors
    revival: Revival
    executor: str
    seals: bool
    restart: Callable[[], None] = end_worker

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch while the block runs."""
        stopping = threading.Event()
        # Apart: a golden film on a device that hangs, or a model that is loaded anew, must not keep studies unsealed.
        threads = [
            threading.Thread(target=run, args=(stopping,), name=name, daemon=True)
            for name, run in (("watch", self._run), ("look", self._look))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            for thread in threads:
                thread.join(timeout=10)

    def _run(self, stopping: threading.Event) -> None:
        last, beaten = 0, 0.0
        while not stopping.wait(_TICK_S):
            try:
                if self.seals:
                    last = self._begin_films(last)
                    self._seal()
                if time.monotonic() - beaten > _BEAT_S:
                    self._look_around()
                    beaten = time.monotonic()
            except Exception as error:  # the top of a worker: the next look sees what is left
                say(WatchFailed(name_of(error)))
                stopping.wait(1.0)

    def _look(self, stopping: threading.Event) -> None:
        while not stopping.wait(_LOOK_S):
            try:
                self.roster.look(self.restart)
            except Exception as error:  # the top of a worker: the next look sees what is left
                say(WatchFailed(name_of(error)))

    def _look_around(self) -> None:
        self.executors.beat(self.executor, self.roster.faults())
        self.executors.reap(self.executor)
        if self.seals:
            self.revival.revive()

    def _begin_films(self, last: int) -> int:
        """Decode and predict what arrived, before its study is complete."""
        with self.database.connect() as connection:
            arrived = arrived_since(connection, last)
        for one in arrived:
            self.roster.begin(Source(one.sha256, self.spool.path(one.path), one.calling_ae, one.called_ae))
        return arrived[-1].id if arrived else last

    def _seal(self) -> None:
        with self.database.connect() as connection:
            if not due(connection, time.time()):
                return
        with writing(self.database) as connection:
            sealed = seal_due(connection, time.time())
            for one in sealed:
                self.queues.read(connection, one.id)
        for one in sealed:
            reached("study-sealed")
            say(StudySealed(study_key(one.study_uid), one.number, one.instances))
