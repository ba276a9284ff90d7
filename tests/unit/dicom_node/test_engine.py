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

from dicom_node.engine import executors
from dicom_node.engine.app import APPLICATION_VERSION, READ, Queues, Worker, delivery_queue, migrate_engine, working
from dicom_node.engine.executors import Executors
from dicom_node.ledger.database import open_database, writing
from dicom_node.ledger.schema import executor

DONE: Callable[[int], None] = lambda _key: None  # noqa: E731


@pytest.fixture
def engine(database: sa.Engine) -> sa.Engine:
    migrate_engine(database)
    return database


@contextmanager
def worker(engine: sa.Engine, read: Callable = DONE, deliver: Callable = DONE, name: str = "w") -> Iterator[Queues]:
    queues = Queues(engine)
    concurrency = {READ: 2, delivery_queue("pacs"): 1, delivery_queue("ehr"): 1}
    with working(engine, name, Worker(read, deliver, concurrency, 0.05), queues):
        yield queues


def wait_for(ready: Callable[[], bool], patience_s: float = 15.0) -> None:
    deadline = time.monotonic() + patience_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_queued_work_is_done_once(engine: sa.Engine) -> None:
    done: list[int] = []
    with worker(engine, read=done.append) as queues:
        with writing(engine) as connection:
            queues.read(connection, 7)
            queues.read(connection, 7)
        wait_for(lambda: bool(done))
        time.sleep(0.3)

    assert [7] == done


def test_work_whose_transaction_is_rolled_back_is_never_done(engine: sa.Engine) -> None:
    done: list[int] = []
    with worker(engine, read=done.append) as queues:
        with pytest.raises(ZeroDivisionError), writing(engine) as connection:
            queues.read(connection, 7)
            raise ZeroDivisionError
        time.sleep(0.5)

    assert [] == done


def test_a_stage_that_asks_for_another_attempt_gets_it_after_the_delay(engine: sa.Engine) -> None:
    times: list[float] = []

    def fail_once(_key: int) -> float | None:
        times.append(time.monotonic())
        return 0.5 if len(times) == 1 else None

    with worker(engine, read=fail_once) as queues:
        with writing(engine) as connection:
            queues.read(connection, 7)
        wait_for(lambda: len(times) == 2)

    assert times[1] - times[0] >= 0.5


def test_a_slow_destination_delays_no_other(engine: sa.Engine) -> None:
    done: list[int] = []

    def deliver(key: int) -> None:
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
    assert {"positionalArgs": ["deliver-pacs", 1, 1], "namedArgs": {}} == json.loads(inputs)


def statuses(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT status FROM workflow_status").scalars())


def die_while_reading(url: str) -> None:
    database = open_database(url)

    def read(_key: int) -> None:
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
    with worker(stranded, read=done.append, name="dead"):
        wait_for(lambda: bool(done))

    assert [7] == done


def test_the_work_of_an_executor_that_stays_silent_is_done_by_another(
    stranded: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "SILENT_S", 0.0)
    done: list[int] = []
    with worker(stranded, read=done.append, name="alive") as queues:
        alive = Executors(stranded, queues)
        alive.beat("alive")
        alive.reap("alive")
        wait_for(lambda: bool(done))

    assert [7] == done
    with stranded.connect() as connection:
        assert ["alive"] == list(connection.execute(sa.select(executor.c.id)).scalars())
