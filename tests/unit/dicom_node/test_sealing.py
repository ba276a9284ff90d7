from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from dicom_node.ledger.arrivals import Arrivals
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import Sealed, seal_due
from dicom_node.ledger.schema import association, instance
from dicom_node.receive.index import Opened, Released, Stored
from dicom_node.study import ReceivedInstance, study_key

INSTANCE = ReceivedInstance(
    study_uid="1.2",
    series_uid="1.2.1",
    sop_uid="1.2.1.1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    modality="CR",
    sha256="a" * 64,
    path="studies/aa/a.dcm",
    size=1,
    stored_at=100.0,
    own=False,
)


@pytest.fixture
def arrivals(database: sa.Engine) -> Arrivals:
    return Arrivals(database, "receiver", lambda sender: 10.0 if sender == "SLOW" else 2.0)


def seal(database: sa.Engine, now: float) -> list[Sealed]:
    with writing(database) as connection:
        return seal_due(connection, now)


def test_a_study_is_sealed_when_its_association_ended_and_the_quiet_time_passed(
    arrivals: Arrivals, database: sa.Engine
) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])

    assert [Sealed(1, "1.2", 1, 1)] == seal(database, 102.0)


def test_a_study_is_not_sealed_within_the_quiet_time(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])

    assert [] == seal(database, 101.9)


def test_a_study_is_not_sealed_while_an_association_of_it_is_open(arrivals: Arrivals, database: sa.Engine) -> None:
    second = replace(INSTANCE, sop_uid="1.2.1.2", sha256="b" * 64)
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])
    arrivals.record([Opened("b", "CR1", 99.0), Stored("b", second)])

    assert [] == seal(database, 1000.0)


def test_the_quiet_time_is_that_of_the_sender(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "SLOW", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])

    assert [] == seal(database, 109.0)
    assert 1 == len(seal(database, 110.0))


def test_a_late_instance_makes_a_second_generation(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])
    seal(database, 200.0)
    late = replace(INSTANCE, sop_uid="1.2.1.2", sha256="b" * 64, stored_at=300.0)
    arrivals.record([Opened("b", "CR1", 299.0), Stored("b", late), Released("b", 301.0)])

    assert [Sealed(2, "1.2", 2, 1)] == seal(database, 400.0)


def test_an_instance_that_came_twice_makes_no_second_generation(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])
    seal(database, 200.0)
    arrivals.record([Opened("b", "CR1", 299.0), Stored("b", INSTANCE), Released("b", 301.0)])

    assert [] == seal(database, 400.0)


def test_a_result_of_the_node_that_comes_back_is_never_sealed(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "PACS", 99.0), Stored("a", replace(INSTANCE, own=True)), Released("a", 101.0)])

    assert [] == seal(database, 1000.0)


def test_other_bytes_under_a_known_uid_are_never_sealed(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])
    seal(database, 200.0)
    arrivals.record([Opened("b", "CR1", 99.0), Stored("b", replace(INSTANCE, sha256="b" * 64)), Released("b", 101.0)])

    assert [] == seal(database, 1000.0)


def test_a_receiver_that_starts_again_ends_the_associations_of_its_former_life(
    arrivals: Arrivals, database: sa.Engine
) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE)])

    arrivals.close_associations()

    assert 1 == len(seal(database, 1000.0))


def test_a_receiver_that_starts_again_ends_no_associations_of_another(arrivals: Arrivals, database: sa.Engine) -> None:
    other = replace(arrivals, receiver="receiver1")
    other.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE)])

    arrivals.close_associations()

    assert [] == seal(database, 1000.0)


def sender(database: sa.Engine) -> str:
    with database.connect() as connection:
        brought = sa.select(association.c.calling_ae).where(association.c.id == instance.c.association_id)
        return str(connection.execute(brought).scalar_one())


def test_who_sends_an_instance_of_a_sealed_study_again_did_not_bring_it(
    arrivals: Arrivals, database: sa.Engine
) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])
    seal(database, 200.0)

    arrivals.record([Opened("b", "ROUTER", 299.0), Stored("b", INSTANCE)])
    arrivals.adopt([INSTANCE])

    assert "CR1" == sender(database)


def test_a_study_waits_for_an_association_that_sends_all_of_it_again(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])

    arrivals.record([Opened("b", "CR1", 101.5), Stored("b", INSTANCE)])

    assert [] == seal(database, 1000.0)


def test_what_a_scan_finds_is_sealed(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.adopt([INSTANCE])

    assert 1 == len(seal(database, 1000.0))


def test_the_true_association_replaces_that_of_a_scan(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.adopt([INSTANCE])
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE)])

    assert [] == seal(database, 1000.0)
    assert "CR1" == sender(database)


def test_other_bytes_of_a_known_uid_are_logged_when_they_are_recorded_and_not_again(arrivals: Arrivals) -> None:
    other = replace(INSTANCE, sha256="b" * 64, path="studies/aa/b.dcm")
    with capture_logs() as said:
        arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Stored("a", other)])
        arrivals.record([Stored("a", INSTANCE), Stored("a", other), Released("a", 101.0)])

    (event,) = said
    expected = {"event": "UIDConflict", "study": study_key("1.2"), "file": "studies/aa/b.dcm", "log_level": "warning"}
    assert expected == event


def test_other_bytes_of_a_known_uid_that_a_scan_finds_are_logged(arrivals: Arrivals) -> None:
    with capture_logs() as said:
        arrivals.adopt([INSTANCE, replace(INSTANCE, sha256="b" * 64, path="studies/aa/b.dcm")])

    assert ["UIDConflict"] == [one["event"] for one in said]


def test_a_uid_of_another_study_is_no_conflict(arrivals: Arrivals, database: sa.Engine) -> None:
    other = replace(INSTANCE, study_uid="1.3", sha256="b" * 64)
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Stored("a", other), Released("a", 101.0)])

    assert ["1.2", "1.3"] == sorted(one.study_uid for one in seal(database, 1000.0))


def test_a_clock_that_was_set_back_holds_no_study(arrivals: Arrivals, database: sa.Engine) -> None:
    arrivals.record([Opened("a", "CR1", 99.0), Stored("a", INSTANCE), Released("a", 101.0)])

    assert 1 == len(seal(database, 50.0))
