"""A result over its life at a real PACS and a real EHR."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from orthanc_api_client import OrthancApiClient

from tests.conftest import as_study
from tests.peers.peers import FhirPeer, OrthancPeer
from tests.peers.test_end_to_end import (  # noqa: F401 - a fixture
    hospital,
    registered,
    results_in,
    sent_by_orthanc,
)

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


def reports_of(ehr: FhirPeer, patient_id: str) -> list[dict[str, Any]]:
    (patient,) = httpx.get(f"{ehr.base_url}/Patient?identifier=urn:oid:1.2.3.4|{patient_id}").json()["entry"]
    found = httpx.get(f"{ehr.base_url}/DiagnosticReport?subject=Patient/{patient['resource']['id']}").json()
    return [one["resource"] for one in found.get("entry", [])]


def test_late_images_and_a_withdrawal_reach_orthanc_and_change_one_report_of_the_ehr(
    hospital,  # noqa: F811 - the fixture of that name
    chest_film: Path,
    tmp_path: Path,
) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "LIFE-1")
    study = sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 301, PatientID="LIFE-1"))
    node.delivered("2.25.4711.301")
    late = as_study(chest_film, tmp_path / "late.dcm", 301, PatientID="LIFE-1", SOPInstanceUID="2.25.4711.301.1.2")
    sent_by_orthanc(pacs, late)
    node.delivered("2.25.4711.301", generation=2)

    assert ["amended"] == [one["status"] for one in reports_of(ehr, "LIFE-1")]
    sent = {one.SOPInstanceUID for one in results_in(pacs, study)}

    assert 0 == node.command("withdraw", "2.25.4711.301", "--reason", "patient-safety").returncode
    node.delivered("2.25.4711.301", generation=3)

    assert ["entered-in-error"] == [one["status"] for one in reports_of(ehr, "LIFE-1")]
    (note,) = [one for one in results_in(pacs, study) if one.Modality == "KO"]
    (named,) = note.CurrentRequestedProcedureEvidenceSequence
    assert sent == {
        one.ReferencedSOPInstanceUID
        for series in named.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }


def test_a_rejection_note_that_is_sent_again_leaves_no_second_copy_on_orthanc(
    hospital,  # noqa: F811 - the fixture of that name
    chest_film: Path,
    tmp_path: Path,
) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "LIFE-3")
    study = sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 303, PatientID="LIFE-3"))
    node.delivered("2.25.4711.303")
    node.command("withdraw", "2.25.4711.303", "--reason", "quality")
    told = node.delivered("2.25.4711.303", generation=2)
    before = everything_in(pacs, study)

    forgotten = next(one for one in told["generations"][1]["deliveries"] if one["destination"] == "pacs")
    with contextlib.closing(sqlite3.connect(node.data / "node.db", timeout=30)) as database, database:
        # As after a power cut between the answer of the PACS and its record, here in the state that `retry` sends
        database.execute("UPDATE delivery SET state = 'rejected', proof = NULL WHERE id = ?", (forgotten["id"],))
    assert "1 deliver" in node.command("retry", "2.25.4711.303").stdout
    again = node.delivered("2.25.4711.303", generation=2)

    (delivery,) = [one for one in again["generations"][1]["deliveries"] if one["destination"] == "pacs"]
    assert (2, ["rejection"]) == (delivery["attempts"], [one["kind"] for one in delivery["proof"]])
    assert before == everything_in(pacs, study)
    assert 1 == sum(one.Modality == "KO" for one in results_in(pacs, study))


def everything_in(pacs: OrthancPeer, study: str) -> dict[str, bytes]:
    """Return Orthanc's name of each instance of a study, and its bytes."""
    client = OrthancApiClient(pacs.url)
    return {one: client.instances.get_file(one) for one in client.studies.get_instances_ids(study)}


def test_a_report_that_was_signed_stays_and_the_delivery_says_so(
    hospital,  # noqa: F811 - the fixture of that name
    chest_film: Path,
    tmp_path: Path,
) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "LIFE-2")
    sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 302, PatientID="LIFE-2"))
    node.delivered("2.25.4711.302")
    (report,) = reports_of(ehr, "LIFE-2")
    signed = {**report, "status": "final", "conclusion": "Read by a person"}
    httpx.put(f"{ehr.base_url}/DiagnosticReport/{report['id']}", json=signed).raise_for_status()

    node.command("rerun", "2.25.4711.302")
    told = node.delivered("2.25.4711.302", generation=2, destination="pacs")
    assert "reported" == told["generations"][1]["state"]

    def rejected() -> bool:
        states = {
            one["destination"]: one for one in (node.explain("2.25.4711.302") or {})["generations"][1]["deliveries"]
        }
        return states["ehr"]["state"] == "rejected" and "changes no signed report" in states["ehr"]["error"]

    node.wait_for(rejected, 60)
    (kept,) = reports_of(ehr, "LIFE-2")
    assert ("final", "Read by a person") == (kept["status"], kept["conclusion"])
