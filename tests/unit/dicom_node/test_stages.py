"""The two queued stages, with destinations and a pipeline that can be told to fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from structlog.testing import capture_logs

from dicom_node.deliver import Acceptance, DestinationUnavailableError, RejectedError
from dicom_node.deliver_stage import DeliverStage
from dicom_node.errors import ModelUnavailableError
from dicom_node.films import Source
from dicom_node.ledger import deliveries, lifecycle, views
from dicom_node.ledger.arrivals import Arrivals
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import seal_due
from dicom_node.ledger.turns import Turns
from dicom_node.node import Node
from dicom_node.pipeline import Reading, StudyResult
from dicom_node.read_stage import MODEL_WAIT_S, MOST_READS, ReadStage
from dicom_node.receive.index import Opened, Released, Stored
from dicom_node.results import Results
from dicom_node.settings import load_settings
from dicom_node.spool.spool import Spool
from dicom_node.status import explain, show, studies
from dicom_node.study import study_key
from inference.types import Code, Familiarity, Finding, ModelCard, Prediction, ReferenceCase
from structured_reports.lifecycle import FormerResult
from structured_reports.port import DICOM, Refusal, ResultObject
from tests.unit.dicom_node.test_sealing import INSTANCE

REPORT = ResultObject("report", "2.25.1", DICOM, b"the bytes", "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.1.2.1")


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/objects/Doe^Jane.dcm")
SOURCE = Source("a" * 64, Path("a.dcm"))


@dataclass
class Queue:
    """Remembers what was queued."""

    deliveries: list[tuple[int, str]] = field(default_factory=list)

    def deliver(self, _connection: sa.Connection, delivery_id: int, destination: str) -> None:
        self.deliveries.append((delivery_id, destination))


@dataclass
class FakePipeline:
    """Refuses every study, comes to what it is told, or fails as told."""

    error: Exception | None = None
    result: StudyResult | None = None
    former: list[tuple[FormerResult, ...]] = field(default_factory=list)
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def read(
        self, sources: Sequence[Source], *, made_at: datetime, generation: int, former: tuple[FormerResult, ...]
    ) -> StudyResult:
        self.former.append(former)
        if self.error:
            raise self.error
        refusal = Refusal("modality", "no film")
        return self.result or self.refuse(sources[0], refusal, made_at=made_at, generation=generation, former=former)

    def refuse(
        self,
        source: Source,
        refusal: Refusal,
        *,
        made_at: datetime,
        generation: int,
        former: tuple[FormerResult, ...],
    ) -> StudyResult:
        return StudyResult((), refusal, (REPORT,), (("build", 1.0, 0.5),))


@dataclass
class FakeDestination:
    """Takes results, or raises what it is told to raise."""

    name: str = "pacs"
    errors: list[Exception] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)

    def takes(self, result: ResultObject) -> bool:
        return True

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        if self.errors:
            raise self.errors.pop(0)
        self.got += [one.content for one in results]
        return tuple(Acceptance(one.kind, one.uid, "C-STORE 0x0000") for one in results)

    def check(self) -> str:
        return ""


@dataclass
class Stages:
    database: sa.Engine
    read: ReadStage
    deliver: DeliverStage
    queue: Queue

    def generations(self) -> list[dict[str, Any]]:
        with self.database.connect() as connection:
            return views.generations_of(connection, INSTANCE.study_uid)


def stages(
    database: sa.Engine,
    folder: Path,
    destination: FakeDestination | None = None,
    error: Exception | None = None,
    result: StudyResult | None = None,
) -> Stages:
    destination = destination or FakeDestination()
    spool = Spool(folder / "spool", 0, lambda _: False)
    spool.path("studies/aa").mkdir(exist_ok=True)
    for number in range(1, 4):
        spool.path(f"studies/aa/{number}").touch()
    results, queue = Results(folder / "objects"), Queue()
    destinations = {destination.name: destination}
    read = ReadStage(database, spool, results, FakePipeline(error, result), queue, destinations)  # type: ignore[arg-type]
    return Stages(database, read, DeliverStage(database, results, destinations, Turns(database)), queue)


def arrive(database: sa.Engine, number: int = 1) -> None:
    arrivals = Arrivals(database, "r", lambda _: 0.0)
    one = replace(INSTANCE, sop_uid=f"1.2.1.{number}", sha256=str(number) * 64, path=f"studies/aa/{number}")
    name = f"a{number}"
    arrivals.record([Opened(name, "CT", 1.0), Stored(name, one), Released(name, 2.0)])
    with writing(database) as connection:
        seal_due(connection, 1000.0)


def test_what_was_read_is_recorded_and_queued_for_every_destination(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path)

    assert node.read(1, "first") is None

    (generation,) = node.generations()
    assert ("refused", "modality") == (generation["state"], generation["reason_code"])
    assert [(1, "pacs")] == node.queue.deliveries


def test_reading_again_what_is_recorded_queues_nothing(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path)
    node.read(1, "first")

    node.read(1, "first")

    assert 1 == len(node.queue.deliveries)


def test_a_generation_that_late_images_overtook_is_not_read(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    arrive(database, 2)
    node = stages(database, tmp_path)

    node.read(1, "first")

    assert ["superseded", "sealed"] == [one["state"] for one in node.generations()]
    assert [] == node.queue.deliveries


def test_reading_that_fails_is_tried_again_later(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)

    assert 10.0 == stages(database, tmp_path, error=ZeroDivisionError()).read(1, "first")


def test_a_study_that_always_fails_is_refused_with_that_reason(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=ZeroDivisionError())

    delays = [node.read(1, "first") for _ in range(MOST_READS + 1)]

    assert delays[-1] is None
    assert "failed" == node.generations()[0]["reason_code"]


def test_a_study_waits_for_its_model_without_limit_and_says_so(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=ModelUnavailableError("the model a 1 cannot be used: no such device"))

    delays = [node.read(1, "first") for _ in range(2 * MOST_READS + 2)]

    (generation,) = node.generations()
    assert {MODEL_WAIT_S} == set(delays)
    assert ("sealed", "the model a 1 cannot be used: no such device") == (generation["state"], generation["waits_for"])
    with database.connect() as connection:
        assert 1 == views.waiting(connection)["waiting for a model"]


def test_a_study_that_waited_is_read_when_its_model_is_there(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    stages(database, tmp_path, error=ModelUnavailableError("the model a 1 cannot be used")).read(1, "first")

    stages(database, tmp_path).read(1, "first")

    (generation,) = stages(database, tmp_path).generations()
    assert ("refused", None) == (generation["state"], generation["waits_for"])


def test_each_model_has_a_result_set_and_one_that_refuses_keeps_no_other_back(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database)
    lung = Code("39607008", "SCT", "Lung")
    finding = Finding("pneumonia", Code("233604007", "SCT", "Pneumonia"), lung, 0.5, ("Doe 2020",))
    card = ModelCard("a", "1", "0" * 64, (finding,), "testing")
    familiarity = Familiarity(0.4, "", (ReferenceCase("NIH 1", "pneumonia", 0.9),))
    readings = (
        Reading("a 1", Prediction(card, (), familiarity), SOURCE, (REPORT,)),
        Reading("b 1", Prediction(card, ()), SOURCE, (replace(REPORT, uid="2.25.2", content=b"of b"),)),
        Reading("c 1", Refusal("view", "ViewPosition: LL"), SOURCE),
    )
    destination = FakeDestination()
    node = stages(database, tmp_path, destination, result=StudyResult(readings))
    node.read(1, "first")
    node.deliver(1, "first")

    (generation,) = node.generations()
    assert "reported" == generation["state"]
    assert [b"the bytes", b"of b"] == destination.got
    assert ["a 1", "b 1"] == [one["model"] for one in generation["results"]]
    assert [None, None, "view"] == [one["reason_code"] for one in generation["readings"]]
    assert {"distance": 0.4, "nearest": [{"source": "NIH 1", "label": "pneumonia", "similarity": 0.9}]} == generation[
        "readings"
    ][0]["familiarity"]
    assert ["Doe 2020"] == generation["readings"][0]["literature"]
    told = "\n".join(map(str, explain(Node(load_settings(data_dir=tmp_path)), INSTANCE.study_uid).tables))
    assert "distance 0.40 from the films that it knows; it accepts up to 1.00" in told
    assert "like pneumonia (NIH 1, similarity 0.90)" in told
    assert "see Doe 2020" in told
    assert "c 1 gave no result: ViewPosition: LL" in told


def delivered(database: sa.Engine, folder: Path, destination: FakeDestination) -> tuple[Stages, float | None]:
    arrive(database)
    node = stages(database, folder, destination)
    node.read(1, "first")
    return node, node.deliver(1, "first")


def test_recorded_bytes_are_what_is_delivered(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination()
    node, delay = delivered(database, tmp_path, destination)

    assert delay is None
    assert [REPORT.content] == destination.got
    assert "C-STORE 0x0000" == node.generations()[0]["deliveries"][0]["proof"][0]["proof"]


def test_what_is_delivered_is_not_delivered_again(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination()
    node, _ = delivered(database, tmp_path, destination)

    node.deliver(1, "first")

    assert 1 == len(destination.got)


def test_an_unavailable_destination_is_tried_again_later(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination(errors=[DestinationUnavailableError("pacs: no connection")])
    node, delay = delivered(database, tmp_path, destination)

    assert delay is not None
    assert ("waiting", "pacs: no connection") == state(node)
    assert node.deliver(1, "first") is None
    assert ("delivered", None) == state(node)


def test_a_destination_says_itself_when_it_wants_to_be_asked_again(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination(errors=[DestinationUnavailableError("busy", retry_after_s=77.0)])

    assert 77.0 == delivered(database, tmp_path, destination)[1]


def test_waits_grow_to_a_quarter_of_an_hour(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination(errors=[DestinationUnavailableError("down") for _ in range(30)])
    node, _ = delivered(database, tmp_path, destination)

    waits = [node.deliver(1, "first") or 0.0 for _ in range(20)]

    assert waits[0] < waits[-1] <= 900.0 * 1.2


def test_what_was_rejected_is_parked_with_its_reason(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination(errors=[RejectedError("pacs: report: 0xA900")])
    node, delay = delivered(database, tmp_path, destination)

    assert delay is None
    assert ("rejected", "pacs: report: 0xA900") == state(node)


def test_recorded_bytes_that_changed_on_disk_are_never_sent(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    destination = FakeDestination()
    node = stages(database, tmp_path, destination)
    node.read(1, "first")
    (file,) = (tmp_path / "objects").rglob("report-*.dcm")
    file.write_bytes(b"other bytes")

    node.deliver(1, "first")

    assert [] == destination.got
    assert "rejected" == state(node)[0]


def test_a_destination_that_is_no_longer_configured_is_named(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path)
    node.read(1, "first")
    without = DeliverStage(database, node.deliver.results, {}, Turns(database))

    without(1, "first")

    assert ("rejected", "pacs: no destination of this name is configured") == state(node)


def test_an_attempt_of_a_chain_that_retry_replaced_sends_nothing(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    destination = FakeDestination()
    node = stages(database, tmp_path, destination)
    node.read(1, "first")
    with writing(database) as connection:
        chain = deliveries.reopen(connection, 1)

    node.deliver(1, "first")
    assert [] == destination.got

    node.deliver(1, chain)
    assert [REPORT.content] == destination.got


def test_a_failure_beside_an_acceptance_does_not_undo_it(database: sa.Engine, tmp_path: Path) -> None:
    node, _ = delivered(database, tmp_path, FakeDestination())

    with writing(database) as connection:
        deliveries.reject(connection, 1, "a parallel attempt")

    assert ("delivered", None) == state(node)


def test_a_result_that_a_later_one_overtook_is_not_sent_after_it(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    destination = FakeDestination()
    node = stages(database, tmp_path, destination)
    node.read(1, "first")
    arrive(database, 2)
    node.read(2, "first")

    node.deliver(1, "first")

    assert [] == destination.got
    assert "superseded" == node.generations()[0]["deliveries"][0]["state"]


def test_a_full_disk_does_not_count_against_a_study(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=FULL)

    for _ in range(MOST_READS + 2):
        assert node.read(1, "first") is not None

    assert "sealed" == node.generations()[0]["state"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FULL, "a fault of the node: No space left on device"),
        (sa.exc.OperationalError("INSERT", {}, Exception("Doe^Jane")), "a fault of the node: OperationalError"),
    ],
)
def test_a_study_that_a_fault_of_the_node_holds_up_says_so(
    database: sa.Engine, tmp_path: Path, error: Exception, reason: str
) -> None:
    arrive(database)
    stages(database, tmp_path, error=error).read(1, "first")

    node = Node(load_settings(data_dir=tmp_path))
    shown, explained = studies(node, 1), explain(node, INSTANCE.study_uid)
    assert (0, 1) == tuple(
        shown.data["waiting"][key] for key in ("waiting for a model", "held up by a fault of the node")
    )
    assert ["held up"] == list(cast(Table, shown.tables[0]).columns[3].cells)
    assert f"          [red]waits[/]: {reason}" in explained.tables
    assert "Doe" not in str((shown.data, explained.data))


def test_the_event_of_a_full_disk_says_that_it_is_full(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    with capture_logs() as said:
        stages(database, tmp_path, error=FULL).read(1, "first")

    (failed,) = [one for one in said if one["event"] == "ReadFailed"]
    assert failed["error"].startswith("OSError at FakePipeline.read:")
    assert failed["error"].endswith("(No space left on device)")
    assert "Doe" not in failed["error"]


def test_a_stream_that_pydicom_calls_an_os_error_counts_against_the_study(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=OSError("No tag to read at file position 31E"))

    delays = [node.read(1, "first") for _ in range(MOST_READS + 1)]

    assert delays[-1] is None
    assert "failed" == node.generations()[0]["reason_code"]


def test_the_key_of_a_study_is_whole_where_there_is_little_room(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    stages(database, tmp_path).read(1, "first")
    shown = StringIO()

    show(studies(Node(load_settings(data_dir=tmp_path)), 1), Console(file=shown, width=80), as_json=False)

    assert study_key(INSTANCE.study_uid) in shown.getvalue()


def told(folder: Path) -> str:
    """Return what `status` says below its table."""
    return "\n".join(map(str, studies(Node(load_settings(data_dir=folder)), 1).tables[1:]))


def test_an_instance_with_the_uid_of_another_is_marked_and_counted_in_status(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database)
    twice = replace(INSTANCE, sop_uid="1.2.1.1", sha256="f" * 64, path="studies/f")
    Arrivals(database, "r", lambda _: 0.0).record([Opened("b", "CT", 3.0), Stored("b", twice), Released("b", 4.0)])

    shown = studies(Node(load_settings(data_dir=tmp_path)), 1)

    assert ["2, [red]1 not read[/]"] == list(cast(Table, shown.tables[0]).columns[2].cells)
    assert (1, [1]) == (shown.data["conflicts"], [one["conflicts"] for one in shown.data["studies"]])
    assert "1 instance has the UID of another with other bytes: kept, never read" in told(tmp_path)


def test_a_study_of_which_nobody_was_told_is_counted_and_explained(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, result=StudyResult((), Refusal("header", "no result can be made")))
    node.read(1, "first")

    explained = explain(Node(load_settings(data_dir=tmp_path)), INSTANCE.study_uid)
    assert 1 == studies(Node(load_settings(data_dir=tmp_path)), 1).data["untold"]
    assert "1 study has no result object: neither PACS nor EHR was told" in told(tmp_path)
    assert "          there is no result object: neither PACS nor EHR was told" in explained.tables


def test_a_study_of_which_somebody_was_told_is_not_counted_as_untold(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    stages(database, tmp_path).read(1, "first")
    arrive(database, 2)
    stages(database, tmp_path, result=StudyResult((), Refusal("header", "no result can be made"))).read(2, "first")

    assert 0 == studies(Node(load_settings(data_dir=tmp_path)), 1).data["untold"]
    assert "told" not in told(tmp_path)


def test_a_study_whose_image_is_lost_is_refused_with_that_reason(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=FileNotFoundError(2, "No such file or directory"))
    node.read.spool.path("studies/aa/1").unlink()

    delays = [node.read(1, "first") for _ in range(MOST_READS + 1)]

    (generation,) = node.generations()
    assert delays[-1] is None
    assert ("failed", "1 of 1 images are lost from the spool") == (generation["reason_code"], generation["reason"])


def test_a_study_waits_for_a_spool_that_is_not_mounted(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=FileNotFoundError(2, "No such file or directory"))
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    Spool(tmp_path / "spool", 0, lambda _: False)  # by whoever starts meanwhile

    for _ in range(2 * MOST_READS + 2):
        assert node.read(1, "first") is not None

    (generation,) = node.generations()
    assert ("sealed", "a fault of the node: No such file or directory") == (
        generation["state"],
        generation["waits_for"],
    )


def test_a_disk_that_does_not_answer_loses_nothing(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=OSError(errno.EIO, os.strerror(errno.EIO)))

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "stat", fail)
    for _ in range(2 * MOST_READS + 2):
        assert node.read(1, "first") is not None
    monkeypatch.undo()

    assert stages(database, tmp_path).read(1, "first") is None
    assert "modality" == node.generations()[0]["reason_code"]


def test_what_a_database_does_not_take_is_not_tried_for_ever(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=sa.exc.IntegrityError("INSERT", {}, ValueError()))

    for _ in range(MOST_READS + 1):
        node.read(1, "first")

    assert "failed" == node.generations()[0]["reason_code"]


@pytest.mark.parametrize("cause", ["images", "rerun", "deadline"])
def test_retry_has_a_study_read_anew_that_the_node_failed_to_read(
    database: sa.Engine, tmp_path: Path, cause: str
) -> None:
    arrive(database)
    node = stages(database, tmp_path, error=ZeroDivisionError())
    for _ in range(MOST_READS + 1):
        node.read(1, "first")
    if cause != "images":
        with writing(database) as connection:
            open_it = lifecycle.open_late_reading if cause == "deadline" else partial(lifecycle.open_rerun, note="look")
            open_it(connection, INSTANCE.study_uid, now=1500.0)
        for _ in range(MOST_READS + 1):
            node.read(2, "first")

    with writing(database) as connection:
        (reopened,) = lifecycle.reopen_failed(connection, INSTANCE.study_uid, 2000.0)
        assert [] == lifecycle.reopen_failed(connection, None, 2001.0)

    assert stages(database, tmp_path).read(reopened, "first") is None
    assert (cause, "modality") == tuple(node.generations()[-1][key] for key in ("cause", "reason_code"))


def test_an_unexpected_error_is_recorded_without_its_text(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination(errors=[KeyError("DOE^JANE")])
    node, delay = delivered(database, tmp_path, destination)

    assert delay is not None
    assert "DOE" not in str(state(node))


def state(node: Stages) -> tuple[str, str | None]:
    (delivery,) = node.generations()[0]["deliveries"]
    return delivery["state"], delivery["error"]
