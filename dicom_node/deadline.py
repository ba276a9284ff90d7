"""Tells of studies that were not read in time: "AI not performed" goes out, and the reading follows as its new version.

What decides is stored, so a restart forgets no deadline. A study that has a result keeps it: nothing is told of a later
version that is late.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from dicom_node.ledger import generations, lifecycle, versions
from dicom_node.ledger.lifecycle import Unread
from dicom_node.observe.events import WatchFailed, name_of, say
from dicom_node.read_stage import ReadStage
from structured_reports.port import Refusal

EXPIRED = "deadline"
"""Reason code of a study that was not read in time."""

_LOOK_S = 5.0


@dataclass(frozen=True)
class Deadline:
    """Looks for studies that were complete for too long without being read.

    Attributes
    ----------
    after_s
        From when a study was complete until the PACS and the EHR are told that it was not read.
    """

    database: sa.Engine
    read: ReadStage
    after_s: float

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every few seconds while the block runs."""
        stopping = threading.Event()
        thread = threading.Thread(target=self._run, args=(stopping,), name="deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(timeout=10)

    def look(self, now: float) -> int:
        """Tell of each study that is late; returns how many.

        One of which that cannot be told now, because the disk is full for instance, keeps no other back.
        """
        late = self._late(now)
        for one in late:
            try:
                self._tell(one)
            except Exception as error:  # the top of a worker: the next look sees what is left
                say(WatchFailed(name_of(error)))
        return len(late)

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_LOOK_S):
            try:
                self.look(time.time())
            except Exception as error:  # the top of a worker: the next look sees what is left
                say(WatchFailed(name_of(error)))

    def _late(self, now: float) -> list[Unread]:
        with self.database.connect() as connection:
            unread = lifecycle.unread(connection, sealed_before=now - self.after_s)
            return [one for one in unread if self._is_untold(connection, one)]

    def _is_untold(self, connection: sa.Connection, one: Unread) -> bool:
        """Return whether nothing else speaks, or will speak, for a study."""
        generation = generations.load(connection, one.id)
        return not (
            generations.is_superseded(connection, generation)
            or "" in lifecycle.withdrawn_models(connection, generation)
            or versions.former_results(connection, generation.study_uid, generation.number)
        )

    def _tell(self, one: Unread) -> None:
        why = f": {one.waits_for}" if one.waits_for else ""
        reason = f"not read within {self.after_s:g} s after it was complete{why}; it is read as soon as it can be"
        # Not the clock: told twice after a crash, it is the same
        at = datetime.fromtimestamp(one.sealed_at + self.after_s, tz=UTC).astimezone()
        self.read.put_off(one.id, Refusal(EXPIRED, reason), at)
