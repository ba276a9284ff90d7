"""Later versions and rejection notes against the checkers of others, and the EHR's report over its life."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import highdicom as hd
import httpx
import pydicom
import pytest
from films import MADE_AT, SOURCES
from pydicom.uid import EnhancedSRStorage
from test_result_fhir import OPTIONS, _push, server  # noqa: F401 - a fixture

from structured_reports.build import build_results
from structured_reports.errors import InvalidObjectError
from structured_reports.fhir.versions import former_report
from structured_reports.fhir.withdrawal import withdrawn_bundle
from structured_reports.forms import REPORT_FORMS
from structured_reports.lifecycle import Cause, FormerResult, Reference, RejectionReason
from structured_reports.port import DICOM, Refusal, ReportRequest, ResultObject
from structured_reports.provenance import is_own
from structured_reports.rejection import rejection

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def references(objects) -> list[Reference]:
    found = [pydicom.dcmread(io.BytesIO(one.content)) for one in objects if one.media_type == DICOM]
    return [
        Reference(ds.StudyInstanceUID, ds.SeriesInstanceUID, str(ds.SOPClassUID), str(ds.SOPInstanceUID))
        for ds in found
    ]


def note_of(request: ReportRequest, reason: RejectionReason, rejected: list[Reference]) -> ResultObject:
    withdrawn = replace(request, outcome=Refusal("withdrawn", "taken back"), display=None, generation=2)
    return rejection(withdrawn, reason, rejected)


def after(request: ReportRequest, former: dict[str, ResultObject], cause: Cause, **changes) -> ReportRequest:
    """Return the request of the version after `former`."""
    documents = tuple(references([former["report"]]))
    replaced = FormerResult("test-model 1.0", cause, documents, former_report(former["fhir"].content))
    later = {"generation": request.generation + 1, "made_at": request.made_at + timedelta(hours=1)}
    return replace(request, former=replaced, **{**later, **changes})


def results(request: ReportRequest) -> dict[str, ResultObject]:
    return {one.kind: one for one in build_results(request, fhir=OPTIONS) if not one.form or one.kind == "report"}


def faults(run_tool, path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    said = run_tool("dciodvfy", "-new", path).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.peer
@pytest.mark.parametrize("reason", RejectionReason)
@pytest.mark.parametrize("source", SOURCES)
def test_dciodvfy_finds_nothing_in_a_rejection_note(source, reason, built, request_of, run_tool, tmp_path) -> None:
    sent = references(built(source, "positive").values())

    note = note_of(request_of(source, "positive"), reason, sent)

    assert [] == faults(run_tool, tmp_path / "note.dcm", note.content)
    assert 0 == run_tool("dsrdump", tmp_path / "note.dcm").returncode


@pytest.mark.peer
@pytest.mark.parametrize("outcome", ["positive", "refused"])
@pytest.mark.parametrize("source", SOURCES)
def test_dciodvfy_finds_nothing_in_a_report_with_predecessor(
    source, outcome, built, request_of, run_tool, tmp_path
) -> None:
    later = results(after(request_of(source, outcome), built(source, outcome), Cause.LATE_IMAGES))

    assert [] == faults(run_tool, tmp_path / "report.dcm", later["report"].content)
    assert [] == faults(run_tool, tmp_path / "summary.dcm", later["summary"].content)


def named(sequence) -> set[str]:
    """Return the SOP Instance UIDs of hierarchical references (PS3.3 C.17.2.1)."""
    return {
        str(one.ReferencedSOPInstanceUID)
        for study in sequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }


# CID 7010; IHE RAD TF, IOCM
@pytest.mark.parametrize(
    ("reason", "code", "meaning"),
    [
        (RejectionReason.QUALITY, "113001", "Rejected for Quality Reasons"),
        (RejectionReason.PATIENT_SAFETY, "113037", "Rejected for Patient Safety Reasons"),
    ],
)
def test_highdicom_reads_the_title_and_the_instances_of_a_note_back(reason, code, meaning, built, request_of) -> None:
    sent = references(built("dx", "positive").values())
    note = note_of(request_of("dx", "positive"), reason, sent)

    document = hd.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(io.BytesIO(note.content)))

    (title,) = document.content[0].ConceptNameCodeSequence
    assert (code, meaning) == (title.CodeValue, title.CodeMeaning)
    assert {one.sop_instance_uid for one in sent} == named(document.CurrentRequestedProcedureEvidenceSequence)


@pytest.mark.parametrize("outcome", ["positive", "refused"])
def test_every_form_of_a_later_report_names_its_predecessors(outcome, built, request_of) -> None:
    request = after(request_of("dx", outcome), built("dx", outcome), Cause.RERUN)
    other = replace(request.former.documents[0], sop_class_uid=str(EnhancedSRStorage), sop_instance_uid="2.25.9")
    former = replace(request.former, documents=(*request.former.documents, other))

    made = build_results(replace(request, former=former), ("report",), forms=[*REPORT_FORMS, "air-comprehensive-3d"])

    predecessors = [pydicom.dcmread(io.BytesIO(one.content)).PredecessorDocumentsSequence for one in made]
    assert [{built("dx", outcome)["report"].uid, "2.25.9"}] * 5 == list(map(named, predecessors))


def test_a_first_report_names_no_predecessor(built) -> None:
    report = pydicom.dcmread(io.BytesIO(built("dx", "positive")["report"].content))

    assert "PredecessorDocumentsSequence" not in report


def test_the_node_knows_its_own_rejection_note(built, request_of) -> None:
    sent = references(built("dx", "positive").values())
    note = note_of(request_of("dx", "positive"), RejectionReason.QUALITY, sent)

    assert is_own(pydicom.dcmread(io.BytesIO(note.content)))


@pytest.mark.parametrize(
    ("rejected", "said"),
    [([], "names at least one instance"), ([Reference("1.2", "1.3", "1.4", "1.5")], "an instance of another study")],
)
def test_a_note_about_nothing_or_about_another_study_is_refused(rejected, said, request_of) -> None:
    with pytest.raises(InvalidObjectError, match=said):
        note_of(request_of("dx", "positive"), RejectionReason.QUALITY, rejected)


class Ehr:
    """A report of a study of its own at a FHIR server."""

    def __init__(self, client: httpx.Client, request: ReportRequest) -> None:
        self.client, self.request = client, request

    def push(self, content: bytes) -> None:
        answer = _push(self.client, content)
        assert answer.is_success, answer.text

    def reports(self) -> list[dict]:
        (report,) = [
            entry["resource"]
            for entry in json.loads(results(self.request)["fhir"].content)["entry"]
            if entry["resource"]["resourceType"] == "DiagnosticReport"
        ]
        identifier = report["identifier"][0]
        found = self.client.get(
            "/DiagnosticReport", params={"identifier": f"{identifier['system']}|{identifier['value']}"}
        )
        return [entry["resource"] for entry in found.json().get("entry", [])]


@pytest.fixture
def ehr(server, request_of, request) -> Ehr:  # noqa: F811 - the fixture of that name
    asked = request_of("dx", "positive")
    suffix = str(abs(hash(request.node.name)) % 10**8)
    asked.source.StudyInstanceUID = f"{asked.source.StudyInstanceUID}.9.{suffix}"
    asked.source.SOPInstanceUID = f"{asked.source.SOPInstanceUID}.9.{suffix}"
    return Ehr(server, asked)


@pytest.mark.peer
def test_a_later_version_changes_the_report_of_the_ehr_and_adds_none(ehr: Ehr) -> None:
    first = results(ehr.request)
    second = results(after(ehr.request, first, Cause.LATE_IMAGES))
    for content in (first["fhir"].content, second["fhir"].content, second["fhir"].content):
        ehr.push(content)

    (report,) = ehr.reports()
    assert "amended" == report["status"]
    assert "more images came" in report["conclusion"]


@pytest.mark.peer
def test_a_withdrawal_enters_the_report_and_what_it_says_in_error(ehr: Ehr) -> None:
    first = results(ehr.request)
    ehr.push(first["fhir"].content)

    ehr.push(withdrawn_bundle(first["fhir"].content, "Wrong film", MADE_AT + timedelta(hours=2)).content)

    (report,) = ehr.reports()
    observation = ehr.client.get(f"/{report['result'][0]['reference']}").json()
    assert ("entered-in-error", "entered-in-error") == (report["status"], observation["status"])
    assert "presentedForm" not in report
    assert "score" not in report["conclusion"]


@pytest.mark.peer
def test_a_report_that_was_signed_is_not_changed_by_a_later_version(ehr: Ehr) -> None:
    first = results(ehr.request)
    ehr.push(first["fhir"].content)
    (report,) = ehr.reports()
    ehr.client.put(f"/DiagnosticReport/{report['id']}", json={**report, "status": "final", "conclusion": "signed"})

    _push(ehr.client, results(after(ehr.request, first, Cause.RERUN))["fhir"].content)

    assert "signed" == ehr.client.get(f"/DiagnosticReport/{report['id']}").json()["conclusion"]


@pytest.mark.peer
def test_a_result_after_a_refusal_is_the_same_report_and_takes_the_refusal_back(ehr: Ehr, request_of) -> None:
    refused = replace(ehr.request, outcome=Refusal("view", "ViewPosition: LL"), display=None)
    first = results(refused)
    ehr.push(first["fhir"].content)
    ehr.request = refused

    read = replace(request_of("dx", "positive"), source=refused.source)
    ehr.push(results(after(read, first, Cause.LATE_IMAGES))["fhir"].content)

    (report,) = ehr.reports()
    observations = [ehr.client.get(f"/{one['reference']}").json() for one in report["result"]]
    device = ehr.client.get("/Observation", params={"status": "entered-in-error"}).json()
    assert ("amended", ["amended"]) == (report["status"], [one["status"] for one in observations])
    assert any("not-performed" in one["resource"]["identifier"][0]["value"] for one in device["entry"])
