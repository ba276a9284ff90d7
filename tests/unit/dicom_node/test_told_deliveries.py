"""What `explain` tells of a delivery: what was sent, and why nothing that would have come before it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.text import Text

from dicom_node.deliver import Acceptance, DestinationUnavailableError, RejectedError
from dicom_node.node import Node
from dicom_node.settings import load_settings
from dicom_node.status import explain
from tests.unit.dicom_node.test_sealing import INSTANCE
from tests.unit.dicom_node.test_stages import FakeDestination, arrive, stages

TEXT = Acceptance("report", "2.25.2", "C-STORE 0x0000", form="basic-text", refused=("does not accept Enhanced SR",))
NOT_SENT = Acceptance("summary", "", "not sent, the pdf says the same", warning="does not accept SC")


def told(database: sa.Engine, folder: Path, *errors: Exception, name: str = "pacs") -> str:
    """Return what is told of a delivery that ended so."""
    arrive(database)
    node = stages(database, folder, FakeDestination(name, list(errors)))
    node.read(1, "first")
    node.deliver(1, "first")
    return "\n".join(map(str, explain(Node(load_settings(data_dir=folder)), INSTANCE.study_uid).tables))


def test_a_refusal_of_everything_says_so(database: sa.Engine, tmp_path: Path) -> None:
    assert "pacs refused it[/]: takes nothing" in told(database, tmp_path, RejectedError("takes nothing"))


def test_a_refusal_of_a_part_says_what_was_sent_and_why_nothing_before_it(database: sa.Engine, tmp_path: Path) -> None:
    said = told(database, tmp_path, RejectedError("pdf: no", [TEXT]))

    assert "pacs refused a part[/]: pdf: no" in said
    assert "it has report (basic-text): C-STORE 0x0000" in said
    assert "since does not accept Enhanced SR" in said


def test_a_delivery_that_waits_says_what_is_there_already(database: sa.Engine, tmp_path: Path) -> None:
    assert "it has report (basic-text)" in told(database, tmp_path, DestinationUnavailableError("away", [TEXT]))


def test_what_was_not_sent_is_not_said_to_be_there(database: sa.Engine, tmp_path: Path) -> None:
    assert "it has" not in told(database, tmp_path, DestinationUnavailableError("away", [NOT_SENT]))


@pytest.mark.parametrize("errors", [[], [RejectedError("no")], [DestinationUnavailableError("away")]])
def test_a_destination_whose_name_looks_like_markup_is_named(
    database: sa.Engine, tmp_path: Path, errors: list[Exception]
) -> None:
    said = told(database, tmp_path, *errors, name="pacs [v2][/x]")

    assert "pacs [v2][/x]" in Text.from_markup(said).plain
