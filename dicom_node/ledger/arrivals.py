"""Records what receivers took, and finds what they had not yet recorded when they were killed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dicom_node.ledger.database import writing
from dicom_node.ledger.schema import association, instance
from dicom_node.observe.events import ArrivalNotIndexed, UIDConflict, say
from dicom_node.receive.index import Arrival, LedgerUnavailableError, Opened, Released, Stored
from dicom_node.study import ReceivedInstance, study_key

# In the place of the AE title that nobody knows of what a scan found.
_SCAN = ""
# Key of the lock of whoever records arrivals on Postgres.
_ARRIVALS = 0x61727269


@dataclass(frozen=True)
class Arrivals:
    """The receivers' side of the ledger.

    Attributes
    ----------
    receiver
        Name of the receiver process: what it left open when it died is closed when it starts again.
    quiet_for
        Quiet time in seconds by calling AE title.
    """

    database: sa.Engine
    receiver: str
    quiet_for: Callable[[str], float]

    def record(self, arrivals: Sequence[Arrival]) -> None:
        """Write arrivals in one transaction.

        Raises
        ------
        LedgerUnavailableError
            The database cannot be written now.
        """
        try:
            with _recording(self.database) as connection:
                conflicts = [one for one in map(partial(self._record, connection), arrivals) if one]
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise LedgerUnavailableError(type(error).__name__) from error
        for one in conflicts:
            say(one)

    def close_associations(self) -> None:
        """Release what a killed predecessor of this receiver held open."""
        _release(self.database, association.c.receiver == self.receiver)

    def adopt(self, found: Iterable[ReceivedInstance]) -> None:
        """Record instances that the spool has and the index had not.

        Each in a transaction of its own: one that the ledger cannot take keeps no other back.
        """
        scan, now = uuid.uuid4().hex, time.time()
        for number, one in enumerate(found):
            if not number:
                self.record([Opened(scan, _SCAN, now), Released(scan, now)])
            try:
                with _recording(self.database) as connection:
                    conflict = _record_instance(connection, Stored(scan, one))
            except sa.exc.SQLAlchemyError as error:
                say(ArrivalNotIndexed(type(error).__name__))
                continue
            if conflict:
                say(conflict)

    def known(self, start: str) -> Collection[str]:
        """Return the instance paths that begin so."""
        with self.database.connect() as connection:
            rows = connection.execute(
                sa.select(instance.c.path).where(instance.c.path.startswith(start, autoescape=True))
            )
            return {path for (path,) in rows}

    def _record(self, connection: sa.Connection, arrival: Arrival) -> UIDConflict | None:
        if isinstance(arrival, Opened):
            connection.execute(
                sa.insert(association).values(
                    id=arrival.association,
                    receiver=self.receiver,
                    calling_ae=arrival.calling_ae,
                    called_ae=arrival.called_ae,
                    quiet_s=self.quiet_for(arrival.calling_ae),
                    opened_at=arrival.at,
                )
            )
        elif isinstance(arrival, Released):
            connection.execute(
                sa.update(association).where(association.c.id == arrival.association).values(released_at=arrival.at)
            )
        else:
            return _record_instance(connection, arrival)
        return None


def close_associations(database: sa.Engine, installation: str) -> None:
    """Release what receivers held open that are no more.

    Parameters
    ----------
    installation
        Start of their names.
    """
    _release(database, association.c.receiver.startswith(installation, autoescape=True))


def _release(database: sa.Engine, of_them: sa.ColumnElement[bool]) -> None:
    with writing(database) as connection:
        connection.execute(
            sa.update(association).where(of_them, association.c.released_at.is_(None)).values(released_at=time.time())
        )


@contextmanager
def _recording(database: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction beside which no other one records arrivals.

    Else two receivers that take one SOP Instance UID with different bytes both find no other, and both are read.
    """
    with writing(database) as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer in any case
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ARRIVALS)))
        yield connection


def _record_instance(connection: sa.Connection, arrival: Stored) -> UIDConflict | None:
    """Record an instance, and return what is to be said of it once that is committed."""
    new = arrival.instance
    known = connection.execute(
        sa.select(instance.c.study_uid, instance.c.sha256).where(instance.c.sop_uid == new.sop_uid)
    ).all()
    conflict = any(one.study_uid == new.study_uid and one.sha256 != new.sha256 for one in known)
    row = asdict(new) | {"association_id": arrival.association, "conflict": conflict}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # A sender whose association broke sends all of it again: the study waits for the end of that. Once it is sealed,
    # who brought an instance stays who brought it, whoever sends it once more; but a scan only found it.
    by_scan = instance.c.association_id.in_(sa.select(association.c.id).where(association.c.calling_ae == _SCAN))
    connection.execute(
        insert(instance)
        .values(row)
        .on_conflict_do_update(
            index_elements=[instance.c.sop_uid, instance.c.sha256],
            set_={"association_id": arrival.association},
            where=instance.c.generation_id.is_(None) | by_scan,
        )
    )
    is_new = new.sha256 not in (one.sha256 for one in known)
    return UIDConflict(study_key(new.study_uid), new.path) if conflict and is_new else None
