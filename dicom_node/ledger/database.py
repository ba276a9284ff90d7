"""Opens the database that the ledger and the engine share, and brings its tables up to date."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from dicom_node.errors import StartError

# Never the URL itself: it may hold a password.
_EXPECTED = "a database URL is sqlite:///path or postgresql+psycopg://user@host/name"


def open_database(url: str, *, synchronous: str = "FULL", setting: str = "node.database") -> sa.Engine:
    """Return an engine on SQLite (WAL) or Postgres.

    Parameters
    ----------
    synchronous
        SQLite only. The receivers' index is rebuilt from the spool, so they may use ``NORMAL``;
        all else is ``FULL``: a commit survives a power cut.
    setting
        Key of the URL, for messages.

    Raises
    ------
    StartError
        The URL is none.

    Notes
    -----
    Parameters are hidden in error messages: they hold UIDs.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StartError(f"{setting}: {_EXPECTED}") from error
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, synchronous)
    if parsed.get_backend_name() != "postgresql":
        raise StartError(f"{setting}: {parsed.drivername}: {_EXPECTED}")
    try:
        return _open_postgres(parsed)
    except ModuleNotFoundError as error:
        raise StartError(f"{setting}: {error.name} is not installed (the extra `postgres` brings it)") from error


def _open_postgres(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, hide_parameters=True, pool_size=10, max_overflow=20, pool_pre_ping=True)


def _open_sqlite(url: sa.URL, synchronous: str) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": 30.0}, hide_parameters=True, pool_size=10, max_overflow=20)

    @sa.event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:  # noqa: ANN401 - a DB-API connection
        # IMMEDIATE, as dbos does: two writers then wait instead of failing at the upgrade of a read lock.
        connection.isolation_level = "IMMEDIATE"
        # WAL before dbos starts: its default journal is three times slower and blocks readers.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the tables of the ledger up to date, or to an earlier revision.

    Raises
    ------
    StartError
        The database cannot be reached or written, or is damaged.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except sa.exc.DatabaseError as error:
        if not (fault := database_fault(error)):
            raise
        raise StartError(f"node.database: {engine.url.render_as_string()}: {fault}") from error


def database_fault(error: sa.exc.DBAPIError) -> str:
    """Return what is wrong with a database that cannot be used; empty where it can, and was asked wrongly.

    The first line of the driver: it names host and database, never a row.
    """
    # A damaged file of SQLite is no operational error, and an error of no other kind (PEP 249)
    is_its_own = isinstance(error, sa.exc.OperationalError) or type(error) is sa.exc.DatabaseError
    return str(error.orig).splitlines()[0] if is_its_own else ""


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on a file for as long as the block runs.

    Raises
    ------
    StartError
        Another process holds it: two executors of one name would run each other's work twice.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(f"{what} is already running with this data directory ({path} is locked)") from error
        yield


@contextmanager
def writing(database: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction that holds the write lock from its first statement.

    Python's SQLite driver begins a transaction at the first change only: what was read before it could be
    out of date by then.
    """
    with database.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
