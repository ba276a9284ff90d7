"""The bundle against a FHIR R4 server that others wrote."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from films import OUTCOMES, missing

from structured_reports.build import build_results
from structured_reports.fhir.options import FhirOptions

OPTIONS = FhirOptions("urn:oid:1.2.3.4", create_patient=True)
TYPES = ("Patient", "Device", "ImagingStudy", "Observation", "DiagnosticReport", "Provenance")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client of an empty server on a free port of loopback."""
    if importlib.util.find_spec("sekmet") is None:
        missing("sekmet-fhir")
    folder = tmp_path_factory.mktemp("sekmet")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "settings.yaml"
    base = f"http://127.0.0.1:{port}"
    settings.write_text(
        f"base_url: {base}/fhir\nhost: 127.0.0.1\nport: {port}\ndata_dir: {folder / 'data'}\n"
        "simulator: {enabled: false}\nserver_auth: {types: [none]}\n"
    )
    command = [Path(sys.executable).with_name("sekmet"), "serve", "-c", settings]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
    try:
        yield _ready(base, process, folder / "log")
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _ready(base: str, process: subprocess.Popen[bytes], log: Path) -> httpx.Client:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for path in ("/fhir", ""):
            try:
                if httpx.get(f"{base}{path}/metadata", timeout=5).json().get("fhirVersion", "").startswith("4.0"):
                    return httpx.Client(base_url=base + path, timeout=30)
            except (httpx.HTTPError, ValueError):
                time.sleep(0.3)
    pytest.fail(f"sekmet did not start: {log.read_text()[-2000:]}")


def _push(server: httpx.Client, content: bytes) -> httpx.Response:
    return server.post("/", content=content, headers={"Content-Type": "application/fhir+json"})


def _bundle(request_of, outcome: str, study: str) -> bytes:
    """Return the bundle of a study of its own, so that tests do not meet on the server."""
    request = request_of("dx", outcome)
    request.source.StudyInstanceUID = f"{request.source.StudyInstanceUID}.{study}"
    request.source.SOPInstanceUID = f"{request.source.SOPInstanceUID}.{study}"
    return build_results(request, fhir=OPTIONS)[-1].content


def _count(server: httpx.Client, kind: str) -> int:
    return server.get(f"/{kind}", params={"_summary": "count"}).json()["total"]


@pytest.mark.peer
@pytest.mark.parametrize("number", range(len(OUTCOMES)))
def test_a_bundle_that_is_pushed_twice_is_stored_once(number, server, request_of) -> None:
    content = _bundle(request_of, OUTCOMES[number], f"1{number}")
    assert _push(server, content).is_success
    once = {kind: _count(server, kind) for kind in TYPES}

    assert _push(server, content).is_success

    assert once == {kind: _count(server, kind) for kind in TYPES}


@pytest.mark.peer
def test_a_push_stores_one_of_each(server, request_of) -> None:
    before = {kind: _count(server, kind) for kind in ("DiagnosticReport", "Observation", "Provenance")}

    _push(server, _bundle(request_of, "positive", "20"))

    assert {kind: count + 1 for kind, count in before.items()} == {kind: _count(server, kind) for kind in before}


@pytest.mark.peer
def test_a_report_that_was_signed_since_stays_signed(server, request_of) -> None:
    content = _bundle(request_of, "positive", "30")
    _push(server, content)
    identifier = next(
        e["resource"]["identifier"][0]
        for e in json.loads(content)["entry"]
        if e["request"]["url"] == "DiagnosticReport"
    )
    found = {"identifier": f"{identifier['system']}|{identifier['value']}"}
    report = server.get("/DiagnosticReport", params=found).json()["entry"][0]["resource"]
    server.put(f"/DiagnosticReport/{report['id']}", json={**report, "status": "final"})

    _push(server, content)

    assert server.get(f"/DiagnosticReport/{report['id']}").json()["status"] == "final"


@pytest.mark.peer
def test_a_result_of_a_patient_that_the_server_does_not_know_is_refused(server, request_of) -> None:
    request = request_of("dx", "positive")
    request.source.PatientID = "NOBODY"

    content = build_results(request, fhir=replace(OPTIONS, create_patient=False))[-1].content

    assert not _push(server, content).is_success


@pytest.mark.peer
def test_a_result_finds_the_patient_that_the_server_has(server, request_of) -> None:
    request = request_of("dx", "positive")
    request.source.PatientID = "KNOWN"
    identifier = {"system": "urn:oid:1.2.3.4", "value": "KNOWN"}
    server.post("/Patient", json={"resourceType": "Patient", "identifier": [identifier]})

    content = build_results(request, fhir=replace(OPTIONS, create_patient=False))[-1].content

    assert _push(server, content).is_success
