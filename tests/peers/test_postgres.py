"""The same node on PostgreSQL, by a URL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.engine import executors
from dicom_node.engine.app import Queues, migrate_engine
from dicom_node.engine.executors import Executors
from dicom_node.ledger.arrivals import Arrivals
from dicom_node.ledger.database import migrate, open_database
from dicom_node.ledger.schema import executor, instance
from dicom_node.ledger.turns import Turns
from dicom_node.receive.index import Opened, Stored
from tests.conftest import as_study
from tests.peers.peers import postgres
from tests.running import NodeProcess, pacs, send_until_acknowledged
from tests.unit.dicom_node.test_sealing import INSTANCE

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.mark.parametrize("checkpoint", ["", "results-recorded"])
def test_a_study_is_read_and_delivered_once(tmp_path: Path, chest_film: Path, checkpoint: str) -> None:
    marker = tmp_path / "crash"
    marker.write_text("role")
    environment = {"DICOM_NODE_CRASH_AT": f"{checkpoint}:{marker}"}
    with postgres() as url, pacs() as peer:
        node = NodeProcess(tmp_path / "node", peer.destination(), database=url, environment=environment)
        node.start()
        try:
            send_until_acknowledged(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            (generation,) = node.delivered("2.25.4711.1")["generations"]
        finally:
            node.stop()

    assert peer.took_one_form_of_each(generation["results"])
    assert marker.exists() is not bool(checkpoint)


def test_results_are_replaced_withdrawn_and_rebuilt(tmp_path: Path, chest_film: Path) -> None:
    with postgres() as url, pacs() as peer:
        node = NodeProcess(tmp_path / "node", peer.destination(), database=url)
        node.start()
        try:
            send_until_acknowledged(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            node.delivered("2.25.4711.1")
            node.command("rerun", "2.25.4711.1")
            node.delivered("2.25.4711.1", generation=2)
            node.command("withdraw", "2.25.4711.1", "--reason", "quality")
            told = node.delivered("2.25.4711.1", generation=3)
            rebuilt = node.command("rebuild", "2.25.4711.1")
        finally:
            node.stop()

    first, second = [one for one in peer.datasets() if one.Modality == "SR"]
    ((series,),) = [study.ReferencedSeriesSequence for study in second.PredecessorDocumentsSequence]
    (note,) = [one for one in peer.datasets() if one.Modality == "KO"]
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    named = [
        one.ReferencedSOPInstanceUID for each in study.ReferencedSeriesSequence for one in each.ReferencedSOPSequence
    ]
    assert first.SOPInstanceUID == series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert set(peer.received) - {note.SOPInstanceUID} == set(named)
    assert ["reported", "reported", "withdrawn"] == [one["state"] for one in told["generations"]]
    assert 0 == rebuilt.returncode, rebuilt.stdout + rebuilt.stderr


def test_two_hosts_do_not_send_results_of_one_study_to_one_destination_at_once() -> None:
    with postgres() as url:
        here, there = open_database(url), open_database(url)
        with Turns(here).of("1.2", "pacs") as first, Turns(there).of("1.2", "pacs") as second:
            assert (True, False) == (first, second)
            with Turns(there).of("1.3", "pacs") as other:
                assert other
        with Turns(there).of("1.2", "pacs") as free:
            assert free
        here.dispose()
        there.dispose()


def test_two_receivers_do_not_both_take_one_uid_with_different_bytes() -> None:
    with postgres() as url:
        database = open_database(url)
        migrate(database)
        first, second = (Arrivals(database, name, lambda _sender: 2.0) for name in ("one", "two"))
        for each in (first, second):
            each.record([Opened(each.receiver, "CR", 1.0)])
        with ThreadPoolExecutor(2) as threads, database.connect() as connection:
            # Both are to have looked for the other's row before either of them can insert its own.
            connection.execute(sa.text("LOCK TABLE instance IN SHARE ROW EXCLUSIVE MODE"))
            both = [
                threads.submit(each.record, [Stored(each.receiver, replace(INSTANCE, sha256=digit * 64))])
                for digit, each in zip("ab", (first, second), strict=True)
            ]
            time.sleep(0.5)
            connection.commit()
            for one in both:
                one.result(30)
        with database.connect() as connection:
            told = connection.execute(sa.select(instance.c.conflict)).scalars()
            assert [False, True] == sorted(told)
        database.dispose()


def test_a_host_whose_clock_is_ahead_takes_nobody_s_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as url:
        database = open_database(url)
        migrate(database)
        migrate_engine(database)
        alive = Executors(database, Queues(database))
        alive.beat("there")
        monkeypatch.setattr(executors.time, "time", lambda: time.monotonic() + 1e10)

        alive.beat("here")
        alive.reap("here")

        with database.connect() as connection:
            assert {"here", "there"} == set(connection.execute(sa.select(executor.c.id)).scalars())
        database.dispose()
