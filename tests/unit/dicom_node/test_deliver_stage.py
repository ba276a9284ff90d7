"""Alternatives on their way: one is sent, told in the ledger, and not followed by another on a later attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.deliver import Acceptance, DestinationUnavailableError
from dicom_node.deliver_stage import DeliverStage
from dicom_node.ledger import deliveries, generations, probes, views
from dicom_node.ledger.database import migrate, open_database, writing
from dicom_node.ledger.generations import Generation
from dicom_node.ledger.schema import generation
from dicom_node.ledger.turns import Turns
from dicom_node.results import Results
from structured_reports.port import DICOM, ResultObject

STUDY = "2.25.7"
OBJECTS = (
    ResultObject("summary", "1", DICOM, b"raw", "sc", "explicit"),
    ResultObject("report", "2", DICOM, b"comprehensive", "c", "explicit", form="comprehensive"),
    ResultObject("summary", "1", DICOM, b"ls", "sc", "jpeg-ls", form="jpeg-ls", alternative_to="1"),
    ResultObject("report", "3", DICOM, b"enhanced", "e", "explicit", form="enhanced", alternative_to="2"),
)


@dataclass
class FakePacs:
    """Takes what it is told to take, in one call a delivery."""

    answers: list[tuple[Acceptance, ...] | Exception]
    name: str = "pacs"
    offered: list[list[tuple[str, str]]] = field(default_factory=list)
    forms: tuple[str, ...] = ()

    def takes(self, result: ResultObject) -> bool:
        return True

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        self.offered.append([(one.uid, one.form) for one in results])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check(self) -> str:
        return ""


@pytest.fixture
def database(tmp_path: Path) -> sa.Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    migrate(engine)
    return engine


def recorded(database: sa.Engine, folder: Path, pacs: FakePacs) -> tuple[DeliverStage, int]:
    results = Results(folder / "objects")
    with writing(database) as connection:
        row = {"study_uid": STUDY, "number": 1, "state": "sealed", "quiet_ended_at": 1.0, "sealed_at": 1.0}
        (key,) = connection.execute(sa.insert(generation).values(**row)).inserted_primary_key or (0,)
        made = results.write(Generation(key, STUDY, 1, "sealed", 1.0, 1, ()), "model 1", OBJECTS)
        outcome = {"state": generations.REPORTED, "recorded_at": 1.0}
        generations.record_results(connection, key, outcome, [], made)
        delivery_id = generations.open_delivery(connection, key, pacs.name)
    return DeliverStage(database, results, {pacs.name: pacs}, Turns(database)), delivery_id


def proof(database: sa.Engine) -> list[tuple[str, str]]:
    with database.connect() as connection:
        ((delivery,),) = [one["deliveries"] for one in views.generations_of(connection, STUDY)]
    return [(one["uid"], one["form"]) for one in delivery["proof"]]


def test_every_alternative_is_recorded_and_offered(database: sa.Engine, tmp_path: Path) -> None:
    pacs = FakePacs([()])
    stage, delivery = recorded(database, tmp_path, pacs)
    stage(delivery, "first")

    assert [[("1", ""), ("2", "comprehensive"), ("1", "jpeg-ls"), ("3", "enhanced")]] == pacs.offered


def test_what_an_attempt_brought_there_is_not_sent_in_another_form_by_the_next(
    database: sa.Engine, tmp_path: Path
) -> None:
    taken = (Acceptance("report", "3", "C-STORE 0x0000", form="enhanced"),)
    pacs = FakePacs([DestinationUnavailableError("away", taken), ()])
    stage, delivery = recorded(database, tmp_path, pacs)
    stage(delivery, "first")
    stage(delivery, "first")

    assert [("1", ""), ("1", "jpeg-ls"), ("3", "enhanced")] == pacs.offered[1]


def test_an_attempt_that_reaches_nothing_forgets_no_proof(database: sa.Engine, tmp_path: Path) -> None:
    taken = (Acceptance("report", "3", "C-STORE 0x0000", form="enhanced"),)
    away = [DestinationUnavailableError("away", taken), DestinationUnavailableError("still away")]
    stage, delivery = recorded(database, tmp_path, FakePacs([*away]))
    stage(delivery, "first")
    stage(delivery, "first")

    assert [("3", "enhanced")] == proof(database)


def test_where_nothing_was_sent_in_its_place_every_form_is_offered_again(database: sa.Engine, tmp_path: Path) -> None:
    taken = (Acceptance("report", "", "not sent, the summary says the same"),)
    pacs = FakePacs([DestinationUnavailableError("away", taken), ()])
    stage, delivery = recorded(database, tmp_path, pacs)
    stage(delivery, "first")
    stage(delivery, "first")

    assert pacs.offered[0] == pacs.offered[1]


def test_the_proof_is_that_of_the_last_word_on_each_object(database: sa.Engine, tmp_path: Path) -> None:
    first = (Acceptance("summary", "1", "C-STORE 0x0000"),)
    second = (Acceptance("summary", "1", "C-STORE 0x0111"), Acceptance("report", "2", "C-STORE 0x0000"))
    stage, delivery = recorded(database, tmp_path, FakePacs([DestinationUnavailableError("away", first), second]))
    stage(delivery, "first")
    stage(delivery, "first")

    assert [("1", ""), ("2", "")] == proof(database)
    with database.connect() as connection:
        ((row,),) = [one["deliveries"] for one in views.generations_of(connection, STUDY)]
    assert deliveries.DELIVERED == row["state"]


def test_the_newest_probe_of_a_destination_is_kept(database: sa.Engine) -> None:
    with writing(database) as connection:
        probes.keep(connection, "pacs", 1.0, {"sends": {}})
        probes.keep(connection, "pacs", 2.0, {"sends": {"report": "Enhanced SR Storage"}})
        rows = probes.newest(connection)

    assert [("pacs", 2.0, {"sends": {"report": "Enhanced SR Storage"}})] == [tuple(row.values()) for row in rows]
