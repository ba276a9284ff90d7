"""The whole way of a study, with a real PACS and a real EHR at its ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
import pytest
from orthanc_api_client import OrthancApiClient
from pydicom.multival import MultiValue

from tests.conftest import as_study, charset_file
from tests.peers.peers import HOST, FhirPeer, OrthancPeer, free_port, orthanc, sekmet
from tests.running import NodeProcess, running_node

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

IDENTITY = ("SpecificCharacterSet", "PatientName", "PatientID", "AccessionNumber")
PATIENTS = "urn:oid:1.2.3.4"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeProcess, OrthancPeer, FhirPeer]]:
    """A node between an Orthanc and a FHIR server, each knowing the others."""
    tmp = tmp_path_factory.mktemp("hospital")
    port = free_port()
    with (
        orthanc(tmp / "orthanc", modalities={"node": ("AINODE", HOST, port)}) as pacs,
        sekmet(tmp / "sekmet") as ehr,
    ):
        tables = f"""
[report.fhir]
patient_system = "{PATIENTS}"
[[destination]]
kind = "c-store"
name = "pacs"
host = "{HOST}"
port = {pacs.dicom_port}
called_ae = "{pacs.ae_title}"
calling_ae = "AINODE"
[[destination]]
kind = "fhir"
name = "ehr"
base_url = "{ehr.base_url}"
"""
        with running_node(tmp / "node", tables=tables, port=port) as node:
            yield node, pacs, ehr


def registered(ehr: FhirPeer, patient_id: str) -> None:
    """Register a patient, as the hospital's own system would."""
    patient = {"resourceType": "Patient", "identifier": [{"system": PATIENTS, "value": patient_id}]}
    httpx.post(f"{ehr.base_url}/Patient", json=patient).raise_for_status()


def sent_by_orthanc(pacs: OrthancPeer, file: Path) -> str:
    """Store a study in Orthanc and have it sent to the node; returns Orthanc's name of the study."""
    client = OrthancApiClient(pacs.url)
    client.upload_file(file)
    study = client.studies.lookup(str(pydicom.dcmread(file).StudyInstanceUID))
    client.modalities.send("node", [study])
    return study


def results_in(pacs: OrthancPeer, study: str) -> list[pydicom.Dataset]:
    client = OrthancApiClient(pacs.url)
    instances = [
        pydicom.dcmread(BytesIO(client.instances.get_file(one))) for one in client.studies.get_instances_ids(study)
    ]
    return [one for one in instances if int(one.SeriesNumber or 0) >= 9001]


def test_a_study_of_orthanc_comes_back_into_the_same_study(hospital, chest_film: Path, tmp_path: Path) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-1")
    file = as_study(chest_film, tmp_path / "film.dcm", 101, PatientID="E2E-1")

    study = sent_by_orthanc(pacs, file)
    node.delivered("2.25.4711.101")

    assert {"SR", "OT"} == {one.Modality for one in results_in(pacs, study)}


def test_the_ehr_gets_one_preliminary_report_about_the_registered_patient(
    hospital, chest_film: Path, tmp_path: Path
) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-2")
    sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 102, PatientID="E2E-2"))
    node.delivered("2.25.4711.102")

    (patient,) = httpx.get(f"{ehr.base_url}/Patient?identifier={PATIENTS}|E2E-2").json()["entry"]
    reference = f"Patient/{patient['resource']['id']}"
    reports = httpx.get(f"{ehr.base_url}/DiagnosticReport?subject={reference}").json()["entry"]

    assert [("preliminary", reference)] == [
        (one["resource"]["status"], one["resource"]["subject"]["reference"]) for one in reports
    ]


def test_results_that_orthanc_sends_back_are_kept_and_not_read(hospital, chest_film: Path, tmp_path: Path) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-3")
    study = sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 103, PatientID="E2E-3"))
    node.delivered("2.25.4711.103")

    OrthancApiClient(pacs.url).modalities.send("node", [study])
    node.wait_for(lambda: any(one["own"] for one in (node.explain("2.25.4711.103") or {})["instances"]), 30)
    subprocess.run(["sleep", "2"], check=True)  # longer than the quiet time and a reading

    assert 1 == len((node.explain("2.25.4711.103") or {})["generations"])


def test_a_patient_whom_the_ehr_does_not_know_waits_there_and_nowhere_else(
    hospital, chest_film: Path, tmp_path: Path
) -> None:
    node, pacs, ehr = hospital
    sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 104, PatientID="E2E-4"))

    def waits() -> bool:
        told = node.explain("2.25.4711.104") or {"generations": []}
        states = {one["destination"]: one for g in told["generations"] for one in g["deliveries"]}
        return bool(states) and states["pacs"]["state"] == "delivered" and bool(states["ehr"]["error"])

    node.wait_for(waits, 60)

    registered(ehr, "E2E-4")
    assert "1 delivery queued" in node.command("retry", "2.25.4711.104").stdout
    node.delivered("2.25.4711.104")


def test_a_study_that_is_no_chest_film_comes_back_as_not_performed(hospital, ct_slice: Path, tmp_path: Path) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-5")
    study = sent_by_orthanc(pacs, as_study(ct_slice, tmp_path / "ct.dcm", 105, PatientID="E2E-5"))

    told = node.delivered("2.25.4711.105")

    assert ("refused", "modality") == (told["generations"][0]["state"], told["generations"][0]["reason_code"])
    assert {"SR", "OT"} == {one.Modality for one in results_in(pacs, study)}


def test_a_late_film_makes_a_second_generation_beside_the_first(hospital, chest_film: Path, tmp_path: Path) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-6")
    study = sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "a.dcm", 106, PatientID="E2E-6"))
    first = len(results_in(pacs, study)) if node.delivered("2.25.4711.106") else 0
    late = pydicom.dcmread(tmp_path / "a.dcm")
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = "2.25.4711.106.1.2"
    late.InstanceNumber = 2
    late.save_as(tmp_path / "b.dcm")

    sent_by_orthanc(pacs, tmp_path / "b.dcm")
    node.delivered("2.25.4711.106", generation=2)

    uids = [one.SOPInstanceUID for one in results_in(pacs, study)]
    assert len(uids) == len(set(uids)) == 2 * first


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "chrH31"), (2, "chrH32"), (3, "chrI2"), (4, "chrKoreanMulti"), (5, "chrRuss"), (6, "chrGreek"), (7, "chrX1")],
)
def test_identity_arrives_unchanged(hospital, chest_film: Path, tmp_path: Path, number: int, name: str) -> None:
    node, pacs, _ = hospital
    file = tmp_path / "film.dcm"
    sent = with_identity_of(charset_file(name), as_study(chest_film, file, 110 + number))

    study = sent_by_orthanc(pacs, file)
    node.delivered(f"2.25.4711.{110 + number}", destination="pacs")

    results = results_in(pacs, study)
    assert results
    # Several character sets become one
    is_switched = isinstance(sent.get("SpecificCharacterSet"), MultiValue)
    said, keywords = (text, ("PatientName", "PatientID", "AccessionNumber")) if is_switched else (raw, IDENTITY)
    for result in results:
        assert [said(sent, keyword) for keyword in keywords] == [said(result, keyword) for keyword in keywords]
        assert not is_switched or result.SpecificCharacterSet == "ISO_IR 192"


def with_identity_of(source: Path, film: Path) -> pydicom.Dataset:
    """Give a film the name, ID and character set of another instance, byte for byte."""
    identity, dataset = pydicom.dcmread(source), pydicom.dcmread(film)
    for keyword in IDENTITY:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        if tag in identity:
            dataset[tag] = identity.get_item(tag)
    # An identifier in the same script: only ASCII is common to all of them.
    dataset.PatientID, dataset.AccessionNumber = f"ID-{source.stem}", f"ACC-{source.stem}"[:16]
    # Bytes that are not decoded are written as they are, where the data set says that this is its own encoding.
    encodings = pydicom.charset.convert_encodings(dataset.get("SpecificCharacterSet"))
    dataset.set_original_encoding(False, True, encodings)
    dataset.save_as(film)
    return pydicom.dcmread(film)


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return a value as it is read."""
    return str(dataset.get(keyword) or "")


def raw(dataset: pydicom.Dataset, keyword: str) -> object:
    """Return a value as it was encoded; pydicom decodes the character set itself when it reads."""
    value = dataset.get_item(keyword).value if keyword in dataset else None
    return value.strip(b" \0") if isinstance(value, bytes) else value


def test_status_shows_where_the_time_goes(hospital, chest_film: Path, tmp_path: Path) -> None:
    node, pacs, ehr = hospital
    registered(ehr, "E2E-7")
    sent_by_orthanc(pacs, as_study(chest_film, tmp_path / "film.dcm", 107, PatientID="E2E-7"))
    node.delivered("2.25.4711.107")

    stages = json.loads(node.command("status", "--timings", "--json").stdout)

    assert {"decode", "infer", "build", "record", "deliver pacs", "deliver ehr", "total"} <= set(stages)


def test_every_check_passes_beside_the_running_node(hospital) -> None:
    node, _, _ = hospital

    done = node.command("check")

    assert 0 == done.returncode, done.stdout
    assert "fault" not in done.stdout
