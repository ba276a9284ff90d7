"""A study that is not read in time: told once, and read all the same as the version after that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_node.deadline import EXPIRED, Deadline
from dicom_node.errors import ModelUnavailableError
from dicom_node.ledger.database import migrate, open_database
from tests.unit.dicom_node.test_lifecycle_commands import rerun, two_models, withdraw
from tests.unit.dicom_node.test_stages import FakePipeline, Queue, Stages, arrive, stages

LATE = 1000.0 + 60.0
"""Generations are sealed at 1000 s."""


@dataclass
class Queues(Queue):
    """Remembers readings too."""

    reads: list[int] = field(default_factory=list)

    def read(self, _connection: sa.Connection, generation_id: int) -> None:
        self.reads.append(generation_id)


def node_of(database: sa.Engine, folder: Path, **options: Any) -> tuple[Stages, Deadline, Queues]:
    queues = Queues()
    node = stages(database, folder, **options)
    read = replace(node.read, queues=queues)
    return replace(node, read=read, queue=queues), Deadline(database, read, 60.0), queues


def told(node: Stages) -> list[tuple[int, str, str, str | None]]:
    return [(one["number"], one["state"], one["cause"], one["reason_code"]) for one in node.generations()]


NOT_YET = ModelUnavailableError("the model a 1 cannot be used: no such device")


def test_a_study_that_is_not_read_in_time_is_told_once_and_waits_on(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node, deadline, queues = node_of(database, tmp_path, error=NOT_YET)
    node.read(1, "first")

    assert [0, 1, 0, 0] == [deadline.look(at) for at in (LATE - 1.0, LATE, LATE + 60.0, LATE + 1e6)]

    assert [(1, "refused", "images", EXPIRED), (2, "sealed", "deadline", None)] == told(node)
    assert [2] == queues.reads
    assert [(1, "pacs")] == queues.deliveries
    assert "not read within 60 s after it was complete: the model a 1 cannot be used" in node.generations()[0]["reason"]


def test_the_reading_that_comes_later_replaces_what_said_that_there_was_none(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database)
    node, deadline, _ = node_of(database, tmp_path, result=two_models())
    deadline.look(LATE)

    assert node.read(1, "first") is None, "the first reading is void"
    node.read(2, "first")

    assert [(1, "refused", "images", EXPIRED), (2, "reported", "deadline", None)] == told(node)


def test_what_is_read_in_time_is_not_told_of(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node, deadline, queues = node_of(database, tmp_path, result=two_models())
    node.read(1, "first")

    assert 0 == deadline.look(LATE + 1e6)
    assert [] == queues.reads


def test_a_study_that_has_a_result_keeps_it_while_a_later_version_is_late(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    node, deadline, _ = node_of(database, tmp_path, result=two_models())
    node.read(1, "first")
    arrive(database, 2)

    assert 0 == deadline.look(LATE)
    assert "sealed" == told(node)[1][1]


def test_a_generation_that_late_images_overtook_is_not_told_of(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    arrive(database, 2)
    node, deadline, _ = node_of(database, tmp_path, error=NOT_YET)

    assert 1 == deadline.look(LATE)
    assert [1, 2, 3] == [one[0] for one in told(node)]
    assert ["sealed", "refused", "sealed"] == [one[1] for one in told(node)]


def test_late_images_of_a_withdrawn_study_are_not_told_of(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    node, deadline, _ = node_of(database, tmp_path, result=two_models())
    node.read(1, "first")
    withdraw(database)
    arrive(database, 2)

    assert 0 == deadline.look(LATE)


def test_a_rerun_of_what_was_put_off_is_told_of_no_second_time(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node, deadline, _ = node_of(database, tmp_path, error=NOT_YET)
    deadline.look(LATE)
    rerun(database)

    assert 0 == deadline.look(1e9)
    assert 1 == [one[3] for one in told(node)].count(EXPIRED)


def test_a_study_that_waits_for_its_model_when_its_deadline_passes_is_not_shown_as_waiting_twice(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database)
    node, deadline, _ = node_of(database, tmp_path, error=NOT_YET)
    node.read.pipeline.read = _during(lambda: deadline.look(LATE), node.read.pipeline)  # type: ignore[method-assign]

    node.read(1, "first")

    assert [None, None] == [one["waits_for"] for one in node.generations()]


def test_a_node_that_is_killed_before_it_is_recorded_tells_the_same_once(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(database)
    node, deadline, _ = node_of(database, tmp_path)

    class Killed(BaseException):
        """Nothing that a worker catches."""

    def die(name: str) -> None:
        if name == "results-written":
            raise Killed

    monkeypatch.setattr("dicom_node.read_stage.reached", die)
    with pytest.raises(Killed):
        deadline.look(LATE)
    written = sorted((tmp_path / "objects").rglob("*.dcm"))
    monkeypatch.undo()

    assert 1 == deadline.look(LATE + 5.0)
    assert [(1, "refused", "images", EXPIRED), (2, "sealed", "deadline", None)] == told(node)
    assert written == sorted((tmp_path / "objects").rglob("*.dcm")), "the same bytes"


def _during(act: Callable[[], object], pipeline: FakePipeline) -> Callable[..., Any]:
    real = pipeline.read

    def read(*arguments: Any, **named: Any) -> Any:
        act()
        return real(*arguments, **named)

    return read


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.0, 0.02), st.floats(0.0, 0.02), st.booleans())
def test_whoever_comes_first_one_result_is_recorded_and_one_more_after_a_deadline(
    tmp_path_factory: pytest.TempPathFactory, read_after_s: float, look_after_s: float, late: bool
) -> None:
    folder = tmp_path_factory.mktemp("race")
    database = open_database(f"sqlite:///{folder / 'node.db'}")
    migrate(database)
    arrive(database)
    node, deadline, queues = node_of(database, folder, result=two_models())
    gate = threading.Barrier(3)

    def after(delay_s: float, act: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            gate.wait()
            threading.Event().wait(delay_s)
            act()

        return threading.Thread(target=run)

    threads = [
        after(read_after_s, lambda: node.read(1, "first")),
        after(look_after_s, lambda: deadline.look(LATE)),
        after(look_after_s, lambda: deadline.look(LATE + late)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in queues.reads:
        node.read(key, "first")

    found = told(node)
    expired = [(1, "refused", "images", EXPIRED), (2, "reported", "deadline", None)]
    assert found in ([(1, "reported", "images", None)], expired)
    assert len(found) == len(queues.deliveries)
    database.dispose()
