"""What is recorded when results replace each other, are withdrawn, and come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.errors import UnknownStudyError
from dicom_node.former import is_of
from dicom_node.ledger import deliveries, lifecycle, versions
from dicom_node.ledger.arrivals import Arrivals
from dicom_node.ledger.database import writing
from dicom_node.ledger.lifecycle import Sent
from dicom_node.lifecycle import known_study
from dicom_node.lifecycle import withdraw as withdraw_results
from dicom_node.node import Node
from dicom_node.pipeline import Reading, StudyResult
from dicom_node.receive.index import Opened, Stored
from dicom_node.settings import load_settings
from dicom_node.study import study_key
from inference.types import ModelCard, Prediction
from structured_reports.lifecycle import RejectionReason
from tests.unit.dicom_node.test_sealing import INSTANCE
from tests.unit.dicom_node.test_stages import REPORT, SOURCE, FakeDestination, Stages, arrive, stages

STUDY = INSTANCE.study_uid


def withdraw(database: sa.Engine, model: str = "", at: float = 3000.0) -> list[Sent]:
    """Record a withdrawal as the command does, without objects."""
    with writing(database) as connection:
        standing = lifecycle.standing_results(connection, STUDY, model or None)
        opened = lifecycle.begin_withdrawal(connection, STUDY, at, code="113001", reason="bad", note="", model=model)
        lifecycle.record_withdrawal(connection, opened, standing, [], (), {})
    return standing


def rerun(database: sa.Engine) -> tuple[int, int, bool]:
    with writing(database) as connection:
        return lifecycle.open_rerun(connection, STUDY, "", 4000.0)


def read_once(database: sa.Engine, folder: Path, destination: FakeDestination) -> Stages:
    arrive(database, 1)
    node = stages(database, folder, destination)
    node.read(1, "first")
    return node


def two_models() -> StudyResult:
    card = ModelCard("a", "1", "0" * 64, (), "testing")
    return StudyResult(
        (
            Reading("a 1", Prediction(card, ()), SOURCE, (REPORT,)),
            Reading("b 1", Prediction(card, ()), SOURCE, (replace(REPORT, uid="2.25.2", content=b"of b"),)),
        )
    )


def states(node: Stages) -> list[str]:
    return [one["state"] for one in node.generations()]


def test_a_rerun_reads_the_same_instances_again(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination())

    assert (2, 2, True) == rerun(database)
    node.read(2, "first")

    assert ["refused", "refused"] == states(node)
    assert [(1, "pacs"), (2, "pacs")] == node.queue.deliveries


def test_a_rerun_that_is_not_done_yet_is_not_doubled(database: sa.Engine, tmp_path: Path) -> None:
    read_once(database, tmp_path, FakeDestination())

    assert [(2, 2, True), (2, 2, False)] == [rerun(database), rerun(database)]


def test_what_waits_is_not_sent_once_it_is_withdrawn(database: sa.Engine, tmp_path: Path) -> None:
    destination = FakeDestination()
    node = read_once(database, tmp_path, destination)

    withdraw(database)
    node.deliver(1, "first")

    assert [] == destination.got
    assert "superseded" == node.generations()[0]["deliveries"][0]["state"]


def test_what_was_taken_is_known_to_be_there(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination())
    node.deliver(1, "first")

    assert [("pacs",)] == [one.destinations for one in withdraw(database)]


def test_an_attempt_whose_end_is_not_known_counts_as_taken(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination(errors=[TimeoutError()]))
    node.deliver(1, "first")

    assert [("pacs",)] == [one.destinations for one in withdraw(database)]


def test_what_nobody_was_sent_is_at_nobody(database: sa.Engine, tmp_path: Path) -> None:
    read_once(database, tmp_path, FakeDestination())

    assert [()] == [one.destinations for one in withdraw(database)]


def test_a_second_withdrawal_finds_nothing(database: sa.Engine, tmp_path: Path) -> None:
    read_once(database, tmp_path, FakeDestination())

    assert [1, 0] == [len(withdraw(database)), len(withdraw(database))]


def test_late_images_of_a_withdrawn_study_are_withheld(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination())
    withdraw(database)
    arrive(database, 2)

    assert node.read(3, "first") is None

    assert ["refused", "withdrawn", "withheld"] == states(node)
    assert 1 == len(node.queue.deliveries)


def test_a_reading_that_was_under_way_when_its_study_was_withdrawn_is_withheld(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = read_once(database, tmp_path, FakeDestination())
    arrive(database, 2)
    pipeline = node.read.pipeline
    read = pipeline.read
    monkeypatch.setattr(pipeline, "read", lambda *a, **k: (withdraw(database), read(*a, **k))[1])

    node.read(2, "first")

    assert ["refused", "withheld", "withdrawn"] == states(node)
    assert 1 == len(node.queue.deliveries)


def test_a_rerun_ends_a_withdrawal_and_reads_what_was_withheld(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination())
    withdraw(database)
    arrive(database, 2)
    node.read(3, "first")

    key, number, _ = rerun(database)
    node.read(key, "first")

    assert (4, "refused") == (number, states(node)[-1])
    assert () == node.read.pipeline.former[-1], "what was withdrawn is replaced by nothing"


def test_of_one_withdrawn_model_late_images_give_nothing_and_the_other_goes_on(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database, 1)
    destination = FakeDestination()
    node = stages(database, tmp_path, destination, result=two_models())
    node.read(1, "first")

    withdraw(database, "a")
    node.deliver(1, "first")
    assert [b"of b"] == destination.got, "what waits of the other model is still sent"

    arrive(database, 2)
    node.read(3, "first")
    assert ["b 1"] == [one["model"] for one in node.generations()[2]["results"]]
    assert ["withdrawn", None] == [one["reason_code"] for one in node.generations()[2]["readings"]]


def test_a_generation_that_waits_is_read_though_one_model_was_withdrawn_meanwhile(
    database: sa.Engine, tmp_path: Path
) -> None:
    arrive(database, 1)
    node = stages(database, tmp_path, result=two_models())
    node.read(1, "first")
    arrive(database, 2)
    withdraw(database, "a")

    node.read(2, "first")

    assert ["reported", "reported", "withdrawn"] == states(node)


def test_a_study_that_the_node_fails_to_read_replaces_no_result_of_a_model(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    stages(database, tmp_path, result=two_models()).read(1, "first")
    arrive(database, 2)
    failing = stages(database, tmp_path, error=ZeroDivisionError())
    while failing.read(2, "first") is not None:
        pass

    with database.connect() as connection:
        former = versions.former_results(connection, STUDY, 3)

    assert {"a 1", "b 1", ""} == set(former)
    assert "failed" == failing.generations()[1]["reason_code"]


def test_a_lost_file_of_a_former_result_keeps_no_study_from_being_read(database: sa.Engine, tmp_path: Path) -> None:
    node = read_once(database, tmp_path, FakeDestination())
    for file in (tmp_path / "objects").rglob("report-*"):
        file.unlink()
    arrive(database, 2)

    assert node.read(2, "first") is None

    assert ["refused", "refused"] == states(node)


@pytest.mark.parametrize(
    ("model", "names", "expected"),
    [
        ("a 1", {"a"}, True),
        ("a 1", {"a 1"}, True),
        ("a 1", {"a 2"}, False),
        ("", {"a"}, False),
        ("a b 1", {"a"}, False),
    ],
)
def test_a_model_is_named_with_or_without_its_version(model: str, names: set[str], expected: bool) -> None:
    assert expected == is_of(model, names)


def two_studies_of_one_prefix(database: sa.Engine) -> tuple[str, str]:
    """Record two studies whose keys begin with the same six characters, and return the keys."""
    keys: dict[str, str] = {}
    for number in range(1_000_000):
        uid = f"1.2.{number}"
        former = keys.setdefault(study_key(uid)[:6], uid)
        if former != uid:
            break
    arrivals = Arrivals(database, "r", lambda _: 0.0)
    arrivals.record([Opened("a", "CT", 1.0)])
    for each in (former, uid):
        arrivals.record([Stored("a", replace(INSTANCE, study_uid=each, sop_uid=f"{each}.1", sha256=study_key(each)))])
    return study_key(former), study_key(uid)


def named(database: sa.Engine, wanted: str) -> str:
    with database.connect() as connection:
        return known_study(connection, wanted)


def test_a_study_is_named_by_the_first_characters_of_its_key(database: sa.Engine) -> None:
    arrive(database)
    key = study_key(INSTANCE.study_uid)

    assert {INSTANCE.study_uid} == {named(database, one) for one in (INSTANCE.study_uid, key, key[:6], key[:11])}


def test_fewer_than_six_characters_name_no_study(database: sa.Engine) -> None:
    arrive(database)

    with pytest.raises(UnknownStudyError, match="at least 6 characters"):
        named(database, study_key(INSTANCE.study_uid)[:5])


def test_the_beginning_of_a_uid_names_no_study(database: sa.Engine) -> None:
    Arrivals(database, "r", lambda _: 0.0).record(
        [Opened("a", "CT", 1.0), Stored("a", replace(INSTANCE, study_uid="1.2.840.99"))]
    )

    with pytest.raises(UnknownStudyError, match="no study"):
        named(database, "1.2.840.9")


def test_what_begins_several_keys_names_none_and_all_are_listed(database: sa.Engine) -> None:
    keys = two_studies_of_one_prefix(database)

    with pytest.raises(UnknownStudyError) as caught:
        named(database, keys[0][:6])

    assert all(key in str(caught.value) for key in keys)


def test_a_route_for_research_has_no_results_to_withdraw(database: sa.Engine, tmp_path: Path) -> None:
    arrive(database, 1)
    node = stages(database, tmp_path, FakeDestination())
    replace(node.read, routes=("registry",))(1, "first")
    with writing(database) as connection:
        for _ in range(2):
            deliveries.begin_delivery(connection, 2)  # as one does that was refused, and then sent again
        deliveries.reject(connection, 2, "1 of 1 stay here", [])
    config = tmp_path / "node.toml"
    config.write_text(
        f'''[node]
data_dir = "{tmp_path}/node"
database = "sqlite:///{tmp_path}/node.db"
[[research]]
name = "registry"
directory = "{tmp_path}/copies"
'''
    )

    done = withdraw_results(Node(load_settings(config)), STUDY, RejectionReason.QUALITY, "", None)

    assert done is not None
    assert (0, (), ()) == (done.instances, done.destinations, done.unreachable)
