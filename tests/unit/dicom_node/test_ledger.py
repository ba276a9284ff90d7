from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dicom_node.errors import StartError
from dicom_node.ledger.database import locked, migrate, open_database
from dicom_node.ledger.schema import metadata


def test_the_migrations_make_the_tables_of_the_schema(database: sa.Engine) -> None:
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "node_version"})

        assert [] == compare_metadata(context, metadata)


def test_migrating_twice_changes_nothing(database: sa.Engine) -> None:
    migrate(database)


def test_sqlite_runs_in_wal_mode_with_full_synchronisation(database: sa.Engine) -> None:
    with database.connect() as connection:
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        assert 2 == connection.exec_driver_sql("PRAGMA synchronous").scalar_one()


def test_a_second_holder_of_a_lock_is_refused(tmp_path) -> None:
    with (
        locked(tmp_path / "lock", "worker 0"),
        pytest.raises(StartError, match="worker 0 is already running"),
        locked(tmp_path / "lock", "worker 0"),
    ):
        pass


@pytest.mark.parametrize("url", ["node.db", "mysql://u:secret@host/db", "u:secret@host"])
def test_what_is_no_database_url_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StartError, match="a database URL is sqlite") as caught:
        open_database(url)

    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StartError, match="unable to open database file"):
        migrate(open_database(f"sqlite:////nowhere-{time.time()}/node.db"))
