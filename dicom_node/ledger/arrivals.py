"""Records what receivers took, and finds what they had not yet recorded when they were killed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dicom_node.ledger.database import writing
from dicom_node.ledger.schema import association, instance
from dicom_node.observe.events import ArrivalNotIndexed, say
from dicom_node.receive.index import Arrival, LedgerUnavailableError, Opened, Released, Stored
from dicom_node.study import ReceivedInstance


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
            with writing(self.database) as connection:
                for arrival in arrivals:
                    self._record(connection, arrival)
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise LedgerUnavailableError(type(error).__name__) from error

    def close_associations(self) -> None:
        """Release what a killed predecessor of this receiver held open."""
        close_associations(self.database, self.receiver)

    def adopt(self, found: Iterable[ReceivedInstance]) -> int:
        """Record instances that the spool has and the index had not; returns how many.

        Each in a transaction of its own: one that the ledger cannot take keeps no other back.
        """
        scan, now, adopted = uuid.uuid4().hex, time.time(), 0
        for one in found:
            if not adopted:
                self.record([Opened(scan, "", now), Released(scan, now)])
            try:
                with writing(self.database) as connection:
                    # A receiver that is at work may have recorded it meanwhile, with its true association.
                    _record_instance(connection, Stored(scan, one), replace=False)
            except sa.exc.SQLAlchemyError as error:
                say(ArrivalNotIndexed(type(error).__name__))
            adopted += 1
        return adopted

    def known(self, start: str) -> Collection[str]:
        """Return the instance paths that begin so."""
        with self.database.connect() as connection:
            rows = connection.execute(
                sa.select(instance.c.path).where(instance.c.path.startswith(start, autoescape=True))
            )
            return {path for (path,) in rows}

    def _record(self, connection: sa.Connection, arrival: Arrival) -> None:
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
            _record_instance(connection, arrival)


def close_associations(database: sa.Engine, receivers: str) -> None:
    """Release what receivers held open that are no more.

    Parameters
    ----------
    receivers
        Start of their names.
    """
    of_them = association.c.receiver.startswith(receivers, autoescape=True)
    with writing(database) as connection:
        connection.execute(
            sa.update(association).where(of_them, association.c.released_at.is_(None)).values(released_at=time.time())
        )


def _record_instance(connection: sa.Connection, arrival: Stored, *, replace: bool = True) -> None:
    row = asdict(arrival.instance) | {"association_id": arrival.association}
    other = sa.select(instance.c.id).where(
        instance.c.study_uid == row["study_uid"],
        instance.c.sop_uid == row["sop_uid"],
        instance.c.sha256 != row["sha256"],
    )
    row["conflict"] = connection.execute(other.limit(1)).first() is not None
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    content = [instance.c.sop_uid, instance.c.sha256]
    if replace:
        # A scan may have been first; the true association then replaces the scan's.
        taken = {"association_id": arrival.association}
        connection.execute(insert(instance).values(row).on_conflict_do_update(index_elements=content, set_=taken))
    else:
        connection.execute(insert(instance).values(row).on_conflict_do_nothing(index_elements=content))
