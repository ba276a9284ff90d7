"""FhirServer against a real sekmet-fhir, with a proxy between them that spoils single answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from faulty_proxy import Fault, faulty_proxy
from peers import HOST, FhirPeer, free_port, sekmet
from sample_results import FAMILY_NAME, PATIENT_ID, PATIENT_SYSTEM, bundle

from dicom_node.deliver import DestinationUnavailableError, RejectedError
from dicom_node.deliver.errors import SLOWLY_S
from dicom_node.deliver.fhir import FhirServer
from structured_reports.port import FHIR_JSON, ResultObject

pytestmark = pytest.mark.peer


def ehr(base_url: str, **settings: object) -> FhirServer:
    return FhirServer(name="ehr", base_url=base_url, **settings)


def register(peer: FhirPeer, patient_id: str, token: str = "") -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": PATIENT_SYSTEM, "value": patient_id}],
        "name": [{"family": FAMILY_NAME}],
    }
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    httpx.post(f"{peer.base_url}/Patient", json=patient, headers=headers).raise_for_status()


def reports(peer: FhirPeer, result: ResultObject) -> int:
    identifier = httpx.Response(200, content=result.content).json()["entry"][1]["resource"]["identifier"][0]
    return peer.total(f"DiagnosticReport?identifier={identifier['system']}|{identifier['value']}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirPeer]:
    """Return a server that knows one patient."""
    with sekmet(tmp_path_factory.mktemp("sekmet")) as peer:
        register(peer, PATIENT_ID)
        yield peer


def test_a_transaction_is_proven_by_the_version_of_its_report(server: FhirPeer) -> None:
    (acceptance,) = ehr(server.base_url).deliver([bundle()])

    assert acceptance.proof.startswith("201 DiagnosticReport/")


def test_a_second_delivery_stores_no_second_report(server: FhirPeer) -> None:
    sent = bundle()
    ehr(server.base_url).deliver([sent])
    ehr(server.base_url).deliver([sent])

    assert reports(server, sent) == 1


def test_a_second_delivery_is_proven_too(server: FhirPeer) -> None:
    sent = bundle()
    ehr(server.base_url).deliver([sent])
    (acceptance,) = ehr(server.base_url).deliver([sent])

    assert acceptance.proof.startswith("200 DiagnosticReport/")


def test_a_patient_who_is_not_known_yet_is_asked_for_again_slowly(server: FhirPeer) -> None:
    with pytest.raises(DestinationUnavailableError, match=r"Patient .* not known there yet") as caught:
        ehr(server.base_url).deliver([bundle(patient_id="PID-unknown")])

    assert caught.value.retry_after_s == SLOWLY_S


def test_a_report_is_taken_once_the_patient_is_known(server: FhirPeer) -> None:
    sent = bundle(patient_id="PID-late")
    with pytest.raises(DestinationUnavailableError):
        ehr(server.base_url).deliver([sent])
    register(server, "PID-late")
    ehr(server.base_url).deliver([sent])

    assert reports(server, sent) == 1


@pytest.mark.parametrize("patient_id", ["A B+C", "a/b&c=d?e", "Ünïcode-7", "100%", "X,1", "A|B", "$x"])
def test_an_identifier_with_reserved_characters_finds_its_patient(server: FhirPeer, patient_id: str) -> None:
    register(server, patient_id)
    (acceptance,) = ehr(server.base_url).deliver([bundle(patient_id=patient_id)])

    assert acceptance.proof.startswith("201")


def test_a_server_that_takes_a_comma_for_an_or_gives_nobody_a_result_of_another(server: FhirPeer) -> None:
    register(server, "4711")
    sent = bundle(patient_id="X17,4711")
    # As to a server that does not know the escape: this one then takes it for an "or".
    unescaped = replace(sent, content=sent.content.replace(b"%5C%2C", b"%2C"))
    assert unescaped != sent

    with pytest.raises(RejectedError, match="a Patient of another identifier"):
        ehr(server.base_url).deliver([unescaped])


def test_a_patient_who_is_there_twice_needs_a_person(server: FhirPeer) -> None:
    register(server, "PID-twice")
    register(server, "PID-twice")
    with pytest.raises(RejectedError, match="more than one Patient"):
        ehr(server.base_url).deliver([bundle(patient_id="PID-twice")])


def test_a_bundle_that_the_server_finds_invalid_is_rejected_with_its_words(server: FhirPeer) -> None:
    with pytest.raises(RejectedError, match=r"ehr: fhir: HTTP 400: .* at DiagnosticReport\.issued"):
        ehr(server.base_url).deliver([bundle(issued="yesterday")])


def test_a_rejected_bundle_holds_back_no_other(server: FhirPeer) -> None:
    good = bundle()
    with pytest.raises(RejectedError) as caught:
        ehr(server.base_url).deliver([bundle(issued="yesterday"), good])

    assert [acceptance.uid for acceptance in caught.value.accepted] == [good.uid]


def test_the_words_of_the_server_are_repeated_without_patient_data(server: FhirPeer) -> None:
    words = f"no luck with {FAMILY_NAME} ({PATIENT_ID})"
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "processing", "diagnostics": words}],
    }
    with (
        faulty_proxy(server.base_url, Fault(422, body=outcome)) as url,
        pytest.raises(RejectedError, match=r"HTTP 422: processing no luck with … \(…\)"),
    ):
        ehr(url).deliver([bundle()])


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 507, 508, 520, 522, 524, 599])
def test_a_status_that_passes_is_tried_later(server: FhirPeer, status: int) -> None:
    with (
        faulty_proxy(server.base_url, Fault(status)) as url,
        pytest.raises(DestinationUnavailableError, match=f"HTTP {status}"),
    ):
        ehr(url).deliver([bundle()])


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 412, 413, 415, 422, 501, 505, 510])
def test_a_status_that_stays_needs_a_person(server: FhirPeer, status: int) -> None:
    with (
        faulty_proxy(server.base_url, Fault(status)) as url,
        pytest.raises(RejectedError, match=f"HTTP {status}"),
    ):
        ehr(url).deliver([bundle()])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_rejected_with_what_to_configure(server: FhirPeer, status: int) -> None:
    moved = Fault(status, {"Location": f"{server.base_url}/"})
    with (
        faulty_proxy(server.base_url, moved) as url,
        pytest.raises(RejectedError, match=f"HTTP {status}, a redirect: set base_url to the final URL"),
    ):
        ehr(url).deliver([bundle()])


def test_the_wait_that_a_server_asks_for_goes_with_the_error(server: FhirPeer) -> None:
    with (
        faulty_proxy(server.base_url, Fault(429, {"Retry-After": "7"})) as url,
        pytest.raises(DestinationUnavailableError) as caught,
    ):
        ehr(url).deliver([bundle()])

    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize("commits", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("spoiled", [Fault(cut=True), Fault(502)], ids=["cut", "bad gateway"])
def test_a_lost_answer_and_a_second_attempt_store_one_report(server: FhirPeer, spoiled: Fault, commits: bool) -> None:
    sent = bundle()
    fault = Fault(spoiled.status, commits=commits, cut=spoiled.cut)
    with faulty_proxy(server.base_url, fault) as url:
        with pytest.raises(DestinationUnavailableError):
            ehr(url).deliver([sent])
        ehr(url).deliver([sent])

    assert reports(server, sent) == 1


def test_a_success_without_outcomes_is_no_proof(server: FhirPeer) -> None:
    with (
        faulty_proxy(server.base_url, Fault(200, body={"hello": "world"})) as url,
        pytest.raises(RejectedError, match="0 outcomes for 2 entries"),
    ):
        ehr(url).deliver([bundle()])


def test_an_entry_that_failed_inside_a_success_is_no_proof(server: FhirPeer) -> None:
    answer = {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": {"status": "201 Created"}}, {"response": {"status": "422 Unprocessable"}}],
    }
    with (
        faulty_proxy(server.base_url, Fault(200, body=answer)) as url,
        pytest.raises(RejectedError, match="entry 1: 422"),
    ):
        ehr(url).deliver([bundle()])


def test_a_server_that_is_down_is_unavailable() -> None:
    with pytest.raises(DestinationUnavailableError, match="ConnectError: Connection refused"):
        ehr(f"http://{HOST}:{free_port()}/fhir").deliver([bundle()])


def test_a_server_that_comes_back_takes_what_it_could_not(tmp_path: Path) -> None:
    port, sent = free_port(), bundle()
    with pytest.raises(DestinationUnavailableError):
        ehr(f"http://{HOST}:{port}/fhir").deliver([sent])
    with sekmet(tmp_path, port=port) as peer:
        register(peer, PATIENT_ID)
        ehr(peer.base_url).deliver([sent])

        assert reports(peer, sent) == 1


def test_a_token_file_opens_a_server_that_asks_for_a_token(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("open-sesame\n")
    with sekmet(tmp_path, token="open-sesame") as peer:  # noqa: S106 - of the peer that ends with this test
        register(peer, PATIENT_ID, "open-sesame")
        (acceptance,) = ehr(peer.base_url, token_file=token_file).deliver([bundle()])

    assert acceptance.proof.startswith("201")


def test_a_wrong_token_is_tried_again_slowly(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("wrong")
    refused = pytest.raises(DestinationUnavailableError, match="HTTP 401")
    with sekmet(tmp_path, token="open-sesame") as peer, refused as caught:  # noqa: S106 - as above
        ehr(peer.base_url, token_file=token_file).deliver([bundle()])

    assert caught.value.retry_after_s == SLOWLY_S


def test_content_that_is_no_bundle_is_rejected(server: FhirPeer) -> None:
    with pytest.raises(RejectedError, match="not a FHIR bundle"):
        ehr(server.base_url).deliver([ResultObject("fhir", "urn:uuid:0", FHIR_JSON, b"[]")])


def test_no_address_that_is_asked_for_names_the_patient(server: FhirPeer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        ehr(server.base_url).deliver([bundle()])

    assert PATIENT_ID not in caplog.text


def test_a_check_tells_the_version_of_fhir(server: FhirPeer) -> None:
    assert ehr(server.base_url).check() == f"ehr: FHIR 4.0.1 at {server.base_url}, transactions"


def test_a_check_of_a_host_without_an_address_says_so_in_one_line() -> None:
    with pytest.raises(DestinationUnavailableError) as caught:
        ehr("http://nowhere.invalid/fhir").check()

    said = "ehr: metadata: http://nowhere.invalid/fhir: ConnectError: "
    assert (said, [str(caught.value)]) == (str(caught.value)[: len(said)], str(caught.value).splitlines())


def test_a_check_of_what_is_no_fhir_server_is_rejected(server: FhirPeer) -> None:
    elsewhere = server.base_url.removesuffix("/fhir")
    with pytest.raises(RejectedError, match="ehr"):
        ehr(elsewhere).check()
