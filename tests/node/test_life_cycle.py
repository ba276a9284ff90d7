"""A result over its life: late images, an operator's rerun, a withdrawal, as PACS and EHR get them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import Comprehensive3DSRStorage

from tests.conftest import as_study
from tests.running import NodeProcess, Pacs, pacs, running_node, send
from tests.unit.dicom_node.test_roster import copied, table

pytestmark = pytest.mark.timeout(300)

REJECTION_NOTE = "1.2.840.10008.5.1.4.1.1.88.59"


@dataclass
class Hospital:
    """A node, a PACS, and the bundles that an EHR would get, in a folder."""

    node: NodeProcess
    pacs: Pacs
    reports_only: Path

    def of_study(self, study_uid: str) -> list[pydicom.Dataset]:
        return [one for one in self.pacs.datasets() if one.StudyInstanceUID == study_uid]

    def reports(self, study_uid: str) -> list[pydicom.Dataset]:
        """Return the SR documents in the order in which they came."""
        return [one for one in self.of_study(study_uid) if one.Modality == "SR"]

    def note(self, study_uid: str) -> pydicom.Dataset:
        (found,) = [one for one in self.of_study(study_uid) if one.SOPClassUID == REJECTION_NOTE]
        return found

    def bundle(self, told: dict[str, Any], generation: int) -> dict[str, Any]:
        """Return the one bundle of a generation."""
        (path,) = [
            one["path"]
            for one in told["generations"][generation - 1]["results"]
            if one["media_type"] == "application/fhir+json"
        ]
        return json.loads((self.node.data / "objects" / path).read_text())


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    tmp = tmp_path_factory.mktemp("life")
    with pacs() as peer:
        tables = peer.destination() + (
            f'\n[[destination]]\nkind = "folder"\nname = "copies"\ndirectory = "{tmp / "copies"}"\n'
            f'\n[[destination]]\nkind = "folder"\nname = "reports"\ndirectory = "{tmp / "reports"}"\n'
            'kinds = ["report"]\n'
        )
        with running_node(tmp / "node", tables=tables) as node:
            yield Hospital(node, peer, tmp / "reports")


def resource(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind)


def request(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(one["request"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind)


def named(sequence: Any) -> set[str]:
    """Return the SOP Instance UIDs of hierarchical references (PS3.3 C.17.2.1)."""
    return {
        str(one.ReferencedSOPInstanceUID)
        for study in sequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }


def read_once(hospital: Hospital, film: Path, folder: Path, number: int) -> str:
    """Have a study of one film read and delivered; returns its UID."""
    assert 0x0000 == send(hospital.node.port, as_study(film, folder / "film.dcm", number))
    study_uid = f"2.25.4711.{number}"
    hospital.node.delivered(study_uid)
    return study_uid


def late_film(film: Path, folder: Path, number: int) -> Path:
    return as_study(film, folder / "late.dcm", number, SOPInstanceUID=f"2.25.4711.{number}.1.2")


def test_late_images_make_a_second_report_that_names_the_first_and_amend_the_one_of_the_ehr(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 201)
    assert 0x0000 == send(hospital.node.port, late_film(chest_film, tmp_path, 201))
    told = hospital.node.delivered(study_uid, generation=2)

    first, second = hospital.reports(study_uid)
    assert "PredecessorDocumentsSequence" not in first
    assert {first.SOPInstanceUID} == named(second.PredecessorDocumentsSequence)
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    before, after = (resource(hospital.bundle(told, number), "DiagnosticReport") for number in (1, 2))
    assert ("preliminary", "amended") == (before["status"], after["status"])
    assert before["identifier"][0] == after["identifier"][0]
    assert "PUT" == request(hospital.bundle(told, 2), "DiagnosticReport")["method"]


def test_a_film_of_another_patient_that_comes_late_gets_no_result_and_leaves_nothing_to_whom_it_is_not(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 240)
    late = {"PatientID": "ANOTHER", "SOPInstanceUID": "2.25.4711.240.1.2"}
    assert 0x0000 == send(hospital.node.port, as_study(chest_film, tmp_path / "other.dcm", 240, **late))
    told = hospital.node.delivered(study_uid, generation=2)

    assert "identity" == told["generations"][1]["reason_code"]
    assert "ANOTHER" not in {one.PatientID for one in hospital.of_study(study_uid)}
    before, after = (hospital.bundle(told, number) for number in (1, 2))
    assert resource(before, "DiagnosticReport")["subject"] == resource(after, "DiagnosticReport")["subject"]
    assert "ANOTHER" not in json.dumps(after)
    assert "PatientID differs within the study" in hospital.node.command("explain", study_uid).stdout


def test_a_rerun_that_says_the_same_replaces_the_report_and_keeps_its_status(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 202)

    said = hospital.node.command("rerun", study_uid, "--reason", "a test")
    told = hospital.node.delivered(study_uid, generation=2)

    assert "generation 2 queued" in said.stdout
    first, second = hospital.reports(study_uid)
    assert {first.SOPInstanceUID} == named(second.PredecessorDocumentsSequence)
    assert "preliminary" == resource(hospital.bundle(told, 2), "DiagnosticReport")["status"]
    assert "an operator had it read again (a test): generation 2" in hospital.node.command("explain", study_uid).stdout


def test_a_report_names_as_predecessor_the_form_that_the_pacs_has_and_a_rebuild_does_so_too(
    chest_film: Path, tmp_path: Path
) -> None:
    with pacs() as peer:
        tables = peer.destination() + 'profile = "air"\n'
        with running_node(tmp_path / "node", tables=tables) as node:
            assert 0x0000 == send(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            node.delivered("2.25.4711.1")
            node.command("rerun", "2.25.4711.1")
            node.delivered("2.25.4711.1", generation=2)
            done = node.command("rebuild", "2.25.4711.1")

    first, second = [one for one in peer.datasets() if one.Modality == "SR"]
    assert Comprehensive3DSRStorage == first.SOPClassUID
    assert {first.SOPInstanceUID} == named(second.PredecessorDocumentsSequence)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_withdrawal_names_everything_that_was_sent_to_all_who_have_it(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 203)
    hospital.node.command("rerun", study_uid)
    hospital.node.delivered(study_uid, generation=2)
    sent = {one.SOPInstanceUID for one in hospital.of_study(study_uid)}

    done = hospital.node.command("withdraw", study_uid, "--reason", "113037", "--note", "the wrong model")
    told = hospital.node.delivered(study_uid, generation=3)

    assert 0 == done.returncode, done.stderr
    note = hospital.note(study_uid)
    assert sent == named(note.CurrentRequestedProcedureEvidenceSequence)
    assert sent == {
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in note.ContentSequence
        if one.ValueType in ("IMAGE", "COMPOSITE")
    }
    assert "113037" == note.ConceptNameCodeSequence[0].CodeValue
    copies = [pydicom.dcmread(one) for one in hospital.reports_only.rglob("rejection-*.dcm")]
    assert note.SOPInstanceUID in {one.SOPInstanceUID for one in copies}, "who takes reports only is told too"
    former, withdrawn = (resource(hospital.bundle(told, number), "DiagnosticReport") for number in (1, 3))
    assert ("entered-in-error", former["identifier"][0]) == (withdrawn["status"], withdrawn["identifier"][0])
    assert "the wrong model" in withdrawn["conclusion"]
    assert "presentedForm" not in withdrawn


def test_a_withdrawal_twice_is_once(hospital: Hospital, chest_film: Path, tmp_path: Path) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 204)
    hospital.node.command("withdraw", study_uid, "--reason", "quality")

    again = hospital.node.command("withdraw", study_uid, "--reason", "quality")

    assert (0, "withdrawn before") == (again.returncode, again.stdout[:16])
    assert 2 == len(hospital.node.delivered(study_uid, generation=2)["generations"])
    assert "113001" == hospital.note(study_uid).ConceptNameCodeSequence[0].CodeValue


def test_late_images_of_a_withdrawn_study_are_kept_and_read_when_an_operator_says_so(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 205)
    hospital.node.command("withdraw", study_uid, "--reason", "quality")
    hospital.node.delivered(study_uid, generation=2)
    before = len(hospital.of_study(study_uid))

    assert 0x0000 == send(hospital.node.port, late_film(chest_film, tmp_path, 205))
    hospital.node.wait_for(
        lambda: (hospital.node.explain(study_uid) or {})["generations"][-1]["state"] == "withheld", 60
    )
    assert before == len(hospital.of_study(study_uid))
    assert "dicom-node rerun" in hospital.node.command("explain", study_uid).stdout

    hospital.node.command("rerun", study_uid)
    told = hospital.node.delivered(study_uid, generation=4)
    _, again = hospital.reports(study_uid)
    assert "PredecessorDocumentsSequence" not in again, "what was withdrawn is no predecessor"
    withdrawn, anew = (resource(hospital.bundle(told, number), "DiagnosticReport") for number in (2, 4))
    assert "preliminary" == anew["status"]
    assert withdrawn["identifier"][0] != anew["identifier"][0], "a report entered in error stays so"


def test_every_object_of_every_generation_can_be_made_again_byte_for_byte(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 207)
    hospital.node.command("rerun", study_uid)
    hospital.node.delivered(study_uid, generation=2)
    hospital.node.command("withdraw", study_uid, "--reason", "quality")
    told = hospital.node.delivered(study_uid, generation=3)

    done = hospital.node.command("rebuild", study_uid)

    objects = [one for generation in told["generations"] for one in generation["results"]]
    assert 0 == done.returncode, done.stdout + done.stderr
    assert len(objects) == sum(line.endswith("  same") for line in done.stdout.splitlines())


def test_a_rebuild_names_the_object_whose_recorded_bytes_have_changed(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 208)
    (generation,) = hospital.node.delivered(study_uid)["generations"]
    summary = next(one for one in generation["results"] if one["kind"] == "summary" and not one["form"])
    with (hospital.node.data / "objects" / summary["path"]).open("ab") as file:
        file.write(b"\0")

    done = hospital.node.command("rebuild", study_uid)

    assert 1 == done.returncode
    (fault,) = [line for line in done.stdout.splitlines() if "recorded file" in line]
    assert summary["uid"] in fault


def test_of_two_models_one_is_withdrawn_and_the_other_reads_late_images(chest_film: Path, tmp_path: Path) -> None:
    models = table(copied(tmp_path, "careful")) + table(copied(tmp_path, "bold", threshold="0.01"))
    with pacs() as peer, running_node(tmp_path / "node", tables=models + peer.destination()) as node:
        assert 0x0000 == send(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
        (first,) = node.delivered("2.25.4711.1")["generations"]

        node.command("withdraw", "2.25.4711.1", "--reason", "patient-safety", "--model", "bold")
        node.delivered("2.25.4711.1", generation=2)
        assert 0x0000 == send(node.port, late_film(chest_film, tmp_path, 1))
        third = node.delivered("2.25.4711.1", generation=3)["generations"][2]

    bold = {one["uid"] for one in first["results"] if one["model"].startswith("bold")}
    (note,) = [one for one in peer.datasets() if one.SOPClassUID == REJECTION_NOTE]
    rejected = named(note.CurrentRequestedProcedureEvidenceSequence)
    assert rejected == bold & set(peer.received)
    assert {"careful 1.0.0"} == {one["model"] for one in third["results"]}
    assert ["withdrawn"] == [one["reason_code"] for one in third["readings"] if one["model"] == "bold 1.0.0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rerun", "1.2.3"), "no study '1.2.3' has arrived"),
        (("withdraw", "1.2.3", "--reason", "quality"), "no study '1.2.3' has arrived"),
        (("withdraw", "1.2.3", "--reason", "because"), "--reason: 'because': a reason is one of 113001 or quality"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], said: str, hospital: Hospital) -> None:
    done = hospital.node.command(*arguments)

    assert 1 == done.returncode
    assert said in " ".join(done.stderr.split())


def test_a_model_that_gave_no_result_is_named_with_those_that_did(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 206)

    done = hospital.node.command("withdraw", study_uid, "--reason", "quality", "--model", "nobody")

    assert 1 == done.returncode
    assert "--model: 'nobody'" in done.stderr
    assert "pneumonia-lite0" in done.stderr


def test_a_study_of_which_an_image_is_lost_on_disk_is_not_read_again(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 211)
    (instance,) = (hospital.node.explain(study_uid) or {})["instances"]
    (hospital.node.data / "spool" / instance["path"]).unlink()

    done = hospital.node.command("rerun", study_uid)

    assert 1 == done.returncode
    assert "1 of 1 received instances are lost on disk" in " ".join(done.stderr.split())


def test_a_rebuild_takes_models_labels_and_forms_from_the_record_and_names_what_it_cannot(
    chest_film: Path, tmp_path: Path
) -> None:
    folder = copied(tmp_path, "then")
    with pacs() as peer:
        tables = table(folder, 'objects = ["summary", "report", "fhir", "kos"]') + '\n[report]\nnotice = "AI THEN"\n'
        with running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
            assert 0x0000 == send(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            told = node.delivered("2.25.4711.1")
    recorded = told["generations"][0]["results"]
    now = table(folder, 'when = { Modality = ["CT"] }') + '\n[report]\nnotice = "AI NOW"\n'
    other = NodeProcess(tmp_path / "node", tables=now)  # other objects, rules, labels, and no PACS that takes forms

    same = other.command("rebuild", "2.25.4711.1")
    (folder / "card.toml").write_text((folder / "card.toml").read_text().replace("threshold = 0.33", "threshold = 0.5"))
    changed = other.command("rebuild", "2.25.4711.1")

    assert 0 == same.returncode, same.stdout + same.stderr
    assert len(recorded) == sum(line.endswith("  same") for line in same.stdout.splitlines())
    assert {"kos", "report"} <= {one["kind"] for one in recorded if one["form"] in ("", "comprehensive")}
    assert 1 == changed.returncode
    assert "(card of the model then 1.0.0 changed)" in changed.stdout


def test_what_the_node_failed_to_read_can_be_rebuilt_after_it_was_read_anew(
    hospital: Hospital, chest_film: Path, tmp_path: Path
) -> None:
    study_uid = read_once(hospital, chest_film, tmp_path, 212)
    hospital.node.command("withdraw", study_uid, "--reason", "quality")
    hospital.node.delivered(study_uid, generation=2)
    with contextlib.closing(sqlite3.connect(hospital.node.data / "node.db")) as database, database:
        # As `retry` leaves what failed: the instances belong to a later generation
        database.execute("UPDATE instance SET generation_id = NULL WHERE study_uid = ?", (study_uid,))

    done = hospital.node.command("rebuild", study_uid)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_study_that_cannot_be_read_in_time_is_told_and_its_reading_replaces_that(
    chest_film: Path, tmp_path: Path
) -> None:
    folder, away = copied(tmp_path, "slow"), tmp_path / "away"
    tables = table(copied(tmp_path, "other"), 'when = { Modality = ["CT"] }') + table(folder)
    tables += "\n[report]\nnot_performed_after_s = 1.5\n"
    (folder / "model.onnx").rename(away)
    with pacs() as peer, running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
        assert 0x0000 == send(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
        node.delivered("2.25.4711.1")
        node.kill()
        away.rename(folder / "model.onnx")
        node.start()
        told = node.delivered("2.25.4711.1", generation=2)

    assert [("refused", "deadline"), ("reported", None)] == [
        (one["state"], one["reason_code"]) for one in told["generations"]
    ]
    late, read = [one for one in peer.datasets() if one.Modality == "SR"]
    assert "110533" in [one.ConceptCodeSequence[0].CodeValue for one in late.ContentSequence if one.ValueType == "CODE"]
    assert {late.SOPInstanceUID} == named(read.PredecessorDocumentsSequence)
