from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dicom_node.errors import StartError
from dicom_node.ledger import views
from dicom_node.ledger.database import locked, migrate, open_database
from dicom_node.ledger.schema import metadata
from tests.conftest import damaged_database


def test_the_migrations_make_the_tables_of_the_schema(database: sa.Engine) -> None:
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "node_version"})

        assert [] == compare_metadata(context, metadata)


def test_migrating_twice_changes_nothing(database: sa.Engine) -> None:
    migrate(database)


def test_results_of_the_former_tables_become_readings_of_their_model(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    migrate(database, "0001")
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO generation (id, study_uid, number, state, quiet_ended_at, sealed_at, model, scores) "
            """VALUES (1, '1.2', 1, 'reported', 1, 1, 'lite 1', '{"pneumonia": {"score": 0.5}}')"""
        )
        connection.exec_driver_sql(
            "INSERT INTO generation (id, study_uid, number, state, quiet_ended_at, sealed_at) "
            "VALUES (2, '1.3', 1, 'refused', 1, 1)"
        )
        connection.exec_driver_sql(
            "INSERT INTO result (generation_id, kind, uid, media_type, sop_class_uid, transfer_syntax_uid, "
            "path, sha256) VALUES (1, 'report', '2.25.1', 'x', '', '', 'p', 's'), "
            "(2, 'report', '2.25.2', 'x', '', '', 'p', 's')"
        )
    migrate(database)

    with database.connect() as connection:
        (read,) = views.generations_of(connection, "1.2")
        (refused,) = views.generations_of(connection, "1.3")
    database.dispose()
    assert [("lite 1", 0.5)] == [(one["model"], one["scores"]["pneumonia"]["score"]) for one in read["readings"]]
    assert (["lite 1"], [""]) == tuple([one["model"] for one in row["results"]] for row in (read, refused))
    assert [] == refused["readings"]


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


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{damaged_database(tmp_path / 'node.db')}"

    with pytest.raises(StartError, match=f"node.database: {url}: file is not a database"):
        migrate(open_database(url))


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StartError, match="unable to open database file"):
        migrate(open_database(f"sqlite:////nowhere-{time.time()}/node.db"))
