"""The engine on SQLite: real dbos, made-up stages."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from dicom_node.engine import app, executors
from dicom_node.engine.app import APPLICATION_VERSION, READ, Queues, Worker, delivery_queue, migrate_engine, working
from dicom_node.engine.executors import Executors
from dicom_node.engine.revival import Revival
from dicom_node.ledger import generations, views
from dicom_node.ledger.database import open_database, writing
from dicom_node.ledger.schema import executor
from tests.unit.dicom_node.test_sealing import INSTANCE
from tests.unit.dicom_node.test_stages import arrive


def nothing(_key: int, _chain: str) -> None:
    """Do nothing."""


@pytest.fixture
def engine(database: sa.Engine) -> sa.Engine:
    migrate_engine(database)
    return database


@contextmanager
def worker(
    engine: sa.Engine, read: Callable = nothing, deliver: Callable = nothing, name: str = "w"
) -> Iterator[Queues]:
    queues = Queues(engine)
    concurrency = {READ: 2, delivery_queue("pacs"): 1, delivery_queue("ehr"): 1}
    with working(engine, name, Worker(read, deliver, concurrency, 0.05), queues):
        yield queues


def noting(done: list[int]) -> Callable[[int, str], None]:
    return lambda key, _chain: done.append(key)


def wait_for(ready: Callable[[], bool], patience_s: float = 15.0) -> None:
    deadline = time.monotonic() + patience_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_queued_work_is_done_once(engine: sa.Engine) -> None:
    done: list[int] = []
    with worker(engine, read=noting(done)) as queues:
        with writing(engine) as connection:
            queues.read(connection, 7)
            queues.read(connection, 7)
        then_all_before(queues, engine, done)

    assert [7, 8] == sorted(done)


def then_all_before(queues: Queues, engine: sa.Engine, done: list[int]) -> None:
    """Queue one more and wait for it: what was queued before it was taken before it."""
    with writing(engine) as connection:
        queues.read(connection, 8)
    wait_for(lambda: 8 in done)


def test_work_whose_transaction_is_rolled_back_is_never_done(engine: sa.Engine) -> None:
    done: list[int] = []
    with worker(engine, read=noting(done)) as queues:
        with pytest.raises(ZeroDivisionError), writing(engine) as connection:
            queues.read(connection, 7)
            raise ZeroDivisionError
        then_all_before(queues, engine, done)

    assert [8] == done


def test_a_stage_that_asks_for_another_attempt_gets_it_after_the_delay(engine: sa.Engine) -> None:
    times: list[float] = []

    def fail_once(_key: int, _chain: str) -> float | None:
        times.append(time.monotonic())
        return 0.5 if len(times) == 1 else None

    with worker(engine, read=fail_once) as queues:
        with writing(engine) as connection:
            queues.read(connection, 7)
        wait_for(lambda: len(times) == 2)

    assert times[1] - times[0] >= 0.5


def test_a_stage_that_raises_is_tried_again(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "FAILED_WAIT_S", 0.1)
    calls: list[int] = []

    def fail_once(key: int, _chain: str) -> None:
        calls.append(key)
        if len(calls) == 1:
            raise OSError("database is locked")

    with worker(engine, read=fail_once) as queues:
        with writing(engine) as connection:
            queues.read(connection, 7)
        wait_for(lambda: len(calls) == 2)


def test_a_slow_destination_delays_no_other(engine: sa.Engine) -> None:
    done: list[int] = []

    def deliver(key: int, _chain: str) -> None:
        time.sleep(2.0 if key == 1 else 0.0)
        done.append(key)

    with worker(engine, deliver=deliver) as queues:
        with writing(engine) as connection:
            queues.deliver(connection, 1, "pacs")
            queues.deliver(connection, 2, "ehr")
        wait_for(lambda: len(done) == 2)

    assert [2, 1] == done


def test_what_dbos_keeps_is_plain_json_of_keys(engine: sa.Engine) -> None:
    with worker(engine) as queues:
        with writing(engine) as connection:
            queues.deliver(connection, 1, "pacs")
        wait_for(lambda: "SUCCESS" in statuses(engine))
    with engine.connect() as connection:
        (inputs,) = connection.exec_driver_sql("SELECT inputs FROM workflow_input").scalars()
        (version,) = connection.exec_driver_sql("SELECT application_version FROM workflow_status").scalars()

    assert APPLICATION_VERSION == version
    assert {"positionalArgs": ["deliver-pacs", 1, "first", 1], "namedArgs": {}} == json.loads(inputs)


def statuses(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT status FROM workflow_status").scalars())


def die_while_reading(url: str) -> None:
    database = open_database(url)

    def read(_key: int, _chain: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with worker(database, read=read, name="dead") as queues:
        Executors(database, queues).beat("dead")
        with writing(database) as connection:
            queues.read(connection, 7)
        time.sleep(30)


@pytest.fixture
def stranded(engine: sa.Engine) -> sa.Engine:
    """A database with a job that an executor held when it was killed."""
    process = multiprocessing.get_context("spawn").Process(target=die_while_reading, args=(str(engine.url),))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert ["PENDING"] == statuses(engine)
    return engine


def test_an_executor_that_comes_back_takes_up_its_work(stranded: sa.Engine) -> None:
    done: list[int] = []
    with worker(stranded, read=noting(done), name="dead"):
        wait_for(lambda: bool(done))

    assert [7] == done


def test_the_work_of_an_executor_that_stays_silent_is_done_by_another(
    stranded: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "SILENT_S", 0.0)
    done: list[int] = []
    with worker(stranded, read=noting(done), name="alive") as queues:
        alive = Executors(stranded, queues)
        alive.beat("alive")
        alive.reap("alive")
        wait_for(lambda: bool(done))

    assert [7] == done
    with stranded.connect() as connection:
        assert ["alive"] == list(connection.execute(sa.select(executor.c.id)).scalars())


def test_what_the_ledger_waits_for_and_nobody_has_in_hand_is_queued_again(engine: sa.Engine) -> None:
    arrive(engine)
    done: list[int] = []
    with worker(engine, read=noting(done)) as queues:
        Revival(engine, queues, ["pacs"]).revive()
        wait_for(lambda: done == [1])
        # It is still sealed, as this stage records nothing, and queued again once more.
        wait_for(lambda: not queues.live().reads)
        Revival(engine, queues, ["pacs"]).revive()
        wait_for(lambda: done == [1, 1])


def test_what_is_in_hand_is_not_queued_again(engine: sa.Engine) -> None:
    arrive(engine)
    queues = Queues(engine)
    with writing(engine) as connection:
        queues.read(connection, 1)

    Revival(engine, queues, ["pacs"]).revive()

    assert 1 == len(statuses(engine))


def test_a_delivery_to_a_destination_that_is_no_longer_configured_is_rejected(engine: sa.Engine) -> None:
    arrive(engine)
    with writing(engine) as connection:
        generations.record_results(connection, 1, {"state": "refused", "recorded_at": 1000.0}, (), ())
        generations.open_delivery(connection, 1, "former")

    Revival(engine, Queues(engine), ["pacs"]).revive()

    with engine.connect() as connection:
        (delivery,) = views.generations_of(connection, INSTANCE.study_uid)[0]["deliveries"]
    assert ("rejected", "former: no destination of this name is configured") == (delivery["state"], delivery["error"])
