"""What versions and withdrawals do to deliveries that are still under way, and to results of models that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.deliver import Acceptance, RejectedError
from dicom_node.deliver_stage import TURN_WAIT_S
from dicom_node.former import replaceable
from dicom_node.ledger import deliveries, generations, lifecycle, versions
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import FAILED, RecordedResult
from dicom_node.ledger.lifecycle import Sent
from dicom_node.ledger.turns import Turns
from dicom_node.pipeline import Reading, StudyResult
from inference.types import ModelCard, Prediction
from structured_reports.lifecycle import Cause, FormerResult
from structured_reports.port import Refusal, ResultObject
from tests.unit.dicom_node.test_lifecycle_commands import STUDY, rerun, two_models
from tests.unit.dicom_node.test_stages import REPORT, SOURCE, FakeDestination, Stages, arrive, stages

CARD = ModelCard("a", "1", "0" * 64, (), "testing")
OF_A = Reading("a 1", Prediction(CARD, ()), SOURCE, (REPORT,))
OF_B = Reading("b 1", Prediction(CARD, ()), SOURCE, (replace(REPORT, uid="2.25.2", content=b"of b"),))
A_FAILED = Reading("a 1", Refusal(FAILED, "the model a 1 failed twice on the instance (RuntimeError)"), SOURCE)
A_REFUSES = Reading("a 1", Refusal("view", "ViewPosition: LL"), SOURCE)
NOT_PERFORMED = StudyResult((), Refusal("modality", "no film"), (REPORT,))
NOTHING = StudyResult((), Refusal("modality", "no film"))


def read(database: sa.Engine, folder: Path, key: int, result: StudyResult, peer: FakeDestination) -> Stages:
    """Read the images that arrive as a generation, which comes to a result."""
    arrive(database, key)
    node = stages(database, folder, peer, result=result)
    node.read(key, "first")
    return node


def take_back(database: sa.Engine, note: RecordedResult | None, model: str = "") -> tuple[list[Sent], list[int]]:
    """Record a withdrawal with its note for the PACS, as the command does."""
    with writing(database) as connection:
        standing = lifecycle.standing_results(connection, STUDY, model or None)
        opened = lifecycle.begin_withdrawal(
            connection, STUDY, 3000.0, code="113001", reason="bad", note="", model=model
        )
        objects = [note] if note else []
        return standing, lifecycle.record_withdrawal(connection, opened, standing, objects, ["pacs"], {})


def note_of(node: Stages) -> RecordedResult:
    """Return a durable note."""
    with node.database.connect() as connection:
        generation = generations.load(connection, 1)
    (recorded,) = node.read.results.write(generation, "", (replace(REPORT, kind="rejection", content=b"the note"),))
    return recorded


def former(database: sa.Engine, before: int) -> set[str]:
    with database.connect() as connection:
        return set(versions.former_results(connection, STUDY, before))


def test_a_rejection_that_still_waits_is_sent_though_the_study_was_read_again(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination()
    node = read(database, tmp_path, 1, NOT_PERFORMED, peer)
    node.deliver(1, "first")
    _, (delivery,) = take_back(database, note_of(node))
    key, _, _ = rerun(database)
    node.read(key, "first")

    node.deliver(delivery, "first")

    assert b"the note" == peer.got[-1]


def test_a_rejection_of_one_model_that_still_waits_is_sent_though_late_images_made_results(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination()
    node = read(database, tmp_path, 1, two_models(), peer)
    node.deliver(1, "first")
    _, (delivery,) = take_back(database, note_of(node), "a")
    arrive(database, 2)
    node.read(3, "first")

    node.deliver(delivery, "first")

    assert b"the note" == peer.got[-1]


def test_what_a_failed_reading_does_not_replace_is_still_sent(database: sa.Engine, tmp_path: Path) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    node = read(database, tmp_path, 2, StudyResult((A_FAILED, OF_B)), peer)

    node.deliver(1, "first")

    assert [REPORT.content] == peer.got, "of a, which failed since; b was read anew"


def test_what_the_node_fails_to_read_keeps_no_former_result_from_being_sent(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    failed = StudyResult((), Refusal(FAILED, "reading failed"), (REPORT,))
    node = read(database, tmp_path, 2, failed, peer)

    node.deliver(1, "first")

    assert [REPORT.content, b"of b"] == peer.got


def test_a_generation_without_results_keeps_no_former_one_from_being_sent(database: sa.Engine, tmp_path: Path) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    node = read(database, tmp_path, 2, NOTHING, peer)

    node.deliver(1, "first")

    assert [REPORT.content, b"of b"] == peer.got


def test_a_version_continues_the_result_from_before_the_model_failed(database: sa.Engine, tmp_path: Path) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    read(database, tmp_path, 2, StudyResult((A_FAILED, OF_B)), peer)

    assert {"a 1", "b 1"} == former(database, 3)


def test_a_version_continues_the_result_from_before_a_generation_without_results(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    read(database, tmp_path, 2, NOTHING, peer)

    assert {"a 1", "b 1"} == former(database, 3)


def test_a_result_that_replaced_a_refusal_is_continued_and_the_refusal_is_not(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, NOT_PERFORMED, peer)
    read(database, tmp_path, 2, StudyResult((A_FAILED, OF_B)), peer)

    assert {"b 1"} == former(database, 3)


def test_what_a_reading_refuses_is_no_longer_sent(database: sa.Engine, tmp_path: Path) -> None:
    peer = FakeDestination()
    read(database, tmp_path, 1, two_models(), peer)
    node = read(database, tmp_path, 2, StudyResult((A_REFUSES, OF_B)), peer)

    node.deliver(1, "first")

    assert [] == peer.got


def test_an_attempt_whose_end_is_not_known_is_not_forgotten_when_it_is_tried_again(
    database: sa.Engine, tmp_path: Path
) -> None:
    node = read(database, tmp_path, 1, two_models(), FakeDestination(errors=[TimeoutError()]))
    node.deliver(1, "first")
    with writing(database) as connection:
        deliveries.reopen(connection, 1)

    standing, _ = take_back(database, None)

    assert [("pacs",), ("pacs",)] == [one.destinations for one in standing]


def test_an_attempt_whose_end_is_not_known_counts_though_the_next_was_refused(
    database: sa.Engine, tmp_path: Path
) -> None:
    peer = FakeDestination(errors=[TimeoutError(), RejectedError("pacs: report: 0xA900")])
    node = read(database, tmp_path, 1, two_models(), peer)
    node.deliver(1, "first")
    node.deliver(1, "first")

    standing, _ = take_back(database, None)

    assert [("pacs",), ("pacs",)] == [one.destinations for one in standing]


@dataclass
class Overtaken(FakeDestination):
    """While it takes the first delivery, the study is read again and the second one is attempted."""

    meanwhile: list[Callable[[], float | None]] = field(default_factory=list)
    waits: list[float | None] = field(default_factory=list)

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        while self.meanwhile:
            self.waits.append(self.meanwhile.pop(0)())
        return super().deliver(results)


def test_a_later_delivery_waits_until_the_one_that_is_under_way_has_ended(database: sa.Engine, tmp_path: Path) -> None:
    peer = Overtaken()
    node = read(database, tmp_path, 1, two_models(), peer)
    arrive(database, 2)
    later = StudyResult((replace(OF_A, objects=(replace(REPORT, uid="2.25.3", content=b"later"),)), OF_B))
    read_again = stages(database, tmp_path, peer, result=later).read
    peer.meanwhile = [lambda: read_again(2, "first"), lambda: node.deliver(2, "first")]

    node.deliver(1, "first")

    assert [None, TURN_WAIT_S] == peer.waits
    assert [REPORT.content, b"of b"] == peer.got
    assert node.deliver(2, "first") is None
    assert [b"later", b"of b"] == peer.got[2:]


def test_a_turn_is_of_one_study_and_one_destination(database: sa.Engine) -> None:
    turns = Turns(database)
    with turns.of("1.2", "pacs") as first, turns.of("1.3", "pacs") as other, turns.of("1.2", "ehr") as elsewhere:
        assert (True, True, True) == (first, other, elsewhere)
        with turns.of("1.2", "pacs") as second:
            assert not second
        with turns.of("1.2", "pacs") as third:
            assert not third, "who did not get it does not give it back"
    with turns.of("1.2", "pacs") as free:
        assert free


FORMER = tuple(FormerResult(model, Cause.LATE_IMAGES) for model in ("a 1", "b 1", ""))
NO_FILM, BROKEN = Refusal("view", "ViewPosition: LL"), Refusal(FAILED, "no such device")


@pytest.mark.parametrize(
    ("refusals", "replaceable_models"),
    [
        ({"a 2": None}, ["a 1", "b 1", ""]),
        ({"a 2": NO_FILM, "b 1": None}, ["a 1", "b 1", ""]),
        ({"a 2": BROKEN, "b 1": None}, ["b 1", ""]),
        ({"a 2": BROKEN, "b 1": NO_FILM, "": NO_FILM}, ["b 1", ""]),
        ({"folder-of-a": BROKEN, "b 1": None}, ["b 1", ""]),
        ({"": BROKEN}, [""]),
    ],
)
def test_a_fault_of_the_node_takes_nothing_back_that_a_model_has_said(
    refusals: dict[str, Refusal | None], replaceable_models: list[str]
) -> None:
    assert replaceable_models == [one.model for one in replaceable(FORMER, refusals)]
