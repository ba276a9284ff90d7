"""One delivery of a study to a destination at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa


@dataclass(frozen=True)
class Turns:
    """Keeps a version, or a withdrawal, from overtaking what is under way: that would else end after it, and stand.

    Notes
    -----
    On SQLite one process delivers. On Postgres any does: there the server holds the lock, until the connection ends.
    """

    database: sa.Engine
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taken: set[str] = field(default_factory=set)

    @contextmanager
    def of(self, study_uid: str, destination: str) -> Iterator[bool]:
        """Yield whether nothing else of a study is on its way to a destination, and keep it so while the block runs."""
        name = f"deliver {study_uid} {destination}"
        with self._in_this_process(name) as free:
            if not free or self.database.dialect.name != "postgresql":
                yield free
                return
            with self._in_the_database(name) as free_there:
                yield free_there

    @contextmanager
    def _in_this_process(self, name: str) -> Iterator[bool]:
        with self._lock:
            free = name not in self._taken
            self._taken.add(name)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._taken.discard(name)

    @contextmanager
    def _in_the_database(self, name: str) -> Iterator[bool]:
        key = {"name": name}
        with self.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
            free = bool(connection.execute(lock, key).scalar_one())
            try:
                yield free
            finally:
                if free:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)
