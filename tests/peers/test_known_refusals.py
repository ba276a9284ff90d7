"""A PACS that negotiates what it then refuses: tested once, it is sent first what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from peers import HOST
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import evt
from rich.console import Console
from test_deliver_forms import objects, pacs, scp_answering, scp_refusing

from dicom_node import status
from dicom_node.deliver_stage import DeliverStage
from dicom_node.ledger import generations, views
from dicom_node.ledger.database import migrate, open_database, writing
from dicom_node.ledger.generations import Generation
from dicom_node.ledger.schema import generation
from dicom_node.ledger.turns import Turns
from dicom_node.node import Node
from dicom_node.probe import run_probes
from dicom_node.results import Results
from dicom_node.settings import load_settings

STUDY = "2.25.7"
EVERY_OBJECT = '["summary", "heatmap", "gsps", "seg", "seg-fractional", "report", "pdf", "kos", "fhir"]'


def node(folder: Path, port: int, *, kinds: str = "[]") -> Node:
    file = folder / "node.toml"
    file.write_text(
        f'[node]\ndata_dir = "{folder}"\n[[models]]\nobjects = {EVERY_OBJECT}\n'
        f'[[destination]]\nkind = "c-store"\nname = "pacs"\nhost = "{HOST}"\nport = {port}\n'
        f'called_ae = "STORESCP"\ncalling_ae = "AI"\nkinds = {kinds}\n'
    )
    return Node(load_settings(file))


def probed(folder: Path, port: int, *, send_test: bool = True, kinds: str = "[]") -> str:
    said, peer = StringIO(), node(folder, port, kinds=kinds)
    assert run_probes(peer, "pacs", Console(file=said, width=300), send_test=send_test)
    return said.getvalue()


def report_of(folder: Path, port: int) -> dict[str, Any]:
    """Record and deliver a result, and return what the ledger says of its report."""
    scu, results = pacs(port), Results(folder / "objects")
    database = open_database(f"sqlite:///{folder / 'node.db'}")
    migrate(database)
    with writing(database) as connection:
        row = {"study_uid": STUDY, "number": 1, "state": "sealed", "quiet_ended_at": 1.0, "sealed_at": 1.0}
        (key,) = connection.execute(sa.insert(generation).values(**row)).inserted_primary_key or (0,)
        made = results.write(Generation(key, STUDY, 1, "sealed", 1.0, 1, ()), "model 1", objects(scu))
        outcome = {"state": generations.REPORTED, "recorded_at": 1.0}
        generations.record_results(connection, key, outcome, [], made)
        delivery = generations.open_delivery(connection, key, "pacs")
    DeliverStage(database, results, {"pacs": scu}, Turns(database))(delivery, "first")
    with database.connect() as connection:
        ((told,),) = [one["deliveries"] for one in views.generations_of(connection, STUDY)]
    return next(one for one in told["proof"] if one["kind"] == "report")


def test_a_form_that_a_test_showed_as_refused_is_not_tried_first_and_the_ledger_says_why(tmp_path: Path) -> None:
    with scp_refusing(0xC000, [ComprehensiveSRStorage]) as (port, _):
        said = probed(tmp_path, port)
        report = report_of(tmp_path, port)

    assert "report is sent as Enhanced SR Storage" in said
    assert "report (comprehensive): negotiated and then refused at the test of" in said
    assert ("enhanced", 1) == (report["form"], len(report["refused"]))
    assert report["refused"][0].startswith("not tried, refused at the test of 20")
    assert "C-STORE 0xC000" in report["refused"][0]


def test_a_probe_without_test_objects_forgets_nothing(tmp_path: Path) -> None:
    with scp_refusing(0xC000, [ComprehensiveSRStorage]) as (port, _):
        probed(tmp_path, port)
        said = probed(tmp_path, port, send_test=False)
        report = report_of(tmp_path, port)
        told = "\n".join(map(str, status.studies(node(tmp_path, port), 1).tables))

    assert "report is sent as Enhanced SR Storage" in said
    assert "enhanced" == report["form"]
    assert "pacs: report (comprehensive): negotiated and then refused at the test of" in told


def test_a_finding_that_is_out_of_date_holds_nothing_back(tmp_path: Path) -> None:
    every_other = [one for one in _report_classes() if one != ComprehensiveSRStorage]
    with scp_refusing(0xC000, [ComprehensiveSRStorage]) as (port, _):
        probed(tmp_path, port)
    with scp_refusing(0xC000, every_other) as (port, _):
        report = report_of(tmp_path, port)

    assert ("comprehensive", len(every_other)) == (report["form"], len(report["refused"]))


def test_an_object_of_every_kind_that_is_made_is_stored_for_a_test(tmp_path: Path) -> None:
    with scp_refusing(0xC000, []) as (port, taken):
        said = probed(tmp_path, port)

    others = {
        SecondaryCaptureImageStorage, GrayscaleSoftcopyPresentationStateStorage, SegmentationStorage,
        EncapsulatedPDFStorage, KeyObjectSelectionDocumentStorage,
    }  # fmt: skip
    assert {*_report_classes(), *others} == set(taken)
    assert "seg-fractional: C-STORE 0x0000" in said


def test_what_a_destination_is_not_sent_is_not_stored_for_a_test(tmp_path: Path) -> None:
    with scp_refusing(0xC000, []) as (port, taken):
        probed(tmp_path, port, kinds='["pdf"]')

    assert [EncapsulatedPDFStorage] == taken


@pytest.mark.parametrize("warning", [0xB000, 0xB007])
def test_what_was_taken_with_a_warning_is_told(tmp_path: Path, warning: int) -> None:
    with scp_refusing(warning, [EnhancedSRStorage]) as (port, _):
        said = probed(tmp_path, port)

    assert "report (enhanced), test of 20" in said


def test_a_peer_that_cannot_take_one_object_for_now_is_asked_about_the_others(tmp_path: Path) -> None:
    with scp_refusing(0xA700, [EnhancedSRStorage]) as (port, taken):
        said = probed(tmp_path, port)

    assert "report (enhanced): pacs: report: C-STORE 0xA700" in said
    assert EncapsulatedPDFStorage in taken


@contextmanager
def scp_aborting(sop_class: str) -> Iterator[tuple[int, list[str]]]:
    """Serve C-STORE, and end the association at an object of a SOP class; yield the port and what was taken."""
    taken: list[str] = []

    def answer(event: evt.Event) -> int:
        if event.request.AffectedSOPClassUID == sop_class:
            event.assoc.abort()
        else:
            taken.append(str(event.request.AffectedSOPClassUID))
        return 0x0000

    with scp_answering(answer) as port:
        yield port, taken


def test_a_peer_that_ends_the_association_at_a_form_is_asked_about_the_rest_and_sent_another(tmp_path: Path) -> None:
    with scp_aborting(ComprehensiveSRStorage) as (port, taken):
        said = probed(tmp_path, port)
        tested = set(taken)
        report = report_of(tmp_path, port)

    assert "report is sent as Enhanced SR Storage" in said
    assert {EnhancedSRStorage, KeyObjectSelectionDocumentStorage} <= tested
    assert "enhanced" == report["form"]
    assert "ended the association" in report["refused"][0]


def _report_classes() -> list[str]:
    return [str(one.sop_class_uid) for one in objects(pacs(1)) if one.kind == "report"]
