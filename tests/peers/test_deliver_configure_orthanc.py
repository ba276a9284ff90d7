"""scripts/configure_orthanc on a real Orthanc, with an SCP in the place of the node."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from peers import HOST, OrthancPeer, free_port, orthanc
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import Verification
from sample_results import image

from dicom_node.deliver.c_store import StorageSCU

pytestmark = pytest.mark.peer

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "configure_orthanc"


class Node:
    """An SCP that remembers what it received."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[str] = []

    def store(self, event: evt.Event) -> int:
        self.received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def receives(self, sop_instance_uid: str, within_s: float = 15.0) -> bool:
        deadline = time.monotonic() + within_s
        while sop_instance_uid not in self.received and time.monotonic() < deadline:
            time.sleep(0.05)
        return sop_instance_uid in self.received


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    serving = Node()
    ae = AE("AINODE")
    ae.supported_contexts = StoragePresentationContexts
    ae.add_supported_context(Verification)
    handlers = [(evt.EVT_C_STORE, serving.store)]
    server = ae.start_server((HOST, serving.port), block=False, evt_handlers=handlers)
    yield serving
    server.shutdown()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancPeer]:
    with orthanc(tmp_path_factory.mktemp("orthanc"), options={"ExecuteLuaEnabled": True}) as peer:
        yield peer


def configure(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)


@contextmanager
def http_server(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to every GET; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def test_the_node_becomes_a_modality_of_orthanc(archive: OrthancPeer, node: Node) -> None:
    configure(archive.url, "--node-port", node.port)

    assert "ainode" in httpx.get(f"{archive.url}/modalities").json()


def test_the_way_to_the_node_is_tested_from_orthanc(archive: OrthancPeer, node: Node) -> None:
    assert "C-ECHO from Orthanc to the node: answered" in configure(archive.url, "--node-port", node.port).stdout


def test_a_node_that_does_not_answer_is_named(archive: OrthancPeer) -> None:
    ended = configure(archive.url, "--node-port", free_port(), "--modality", "absent")

    assert (ended.returncode, "does not answer Orthanc's C-ECHO" in ended.stderr) == (1, True)


def test_the_printed_destination_delivers_to_this_orthanc(archive: OrthancPeer, node: Node) -> None:
    printed = configure(archive.url, "--node-port", node.port).stdout
    (table,) = tomllib.loads(printed[printed.index("[[destination]]") :])["destination"]
    table.pop("kind")

    assert "C-ECHO 0x0000" in StorageSCU(**table).check()


def test_a_study_is_sent_by_its_uid(archive: OrthancPeer, node: Node) -> None:
    film = image()
    httpx.post(f"{archive.url}/instances", content=film.content).raise_for_status()
    study = httpx.post(f"{archive.url}/tools/lookup", content=film.uid).json()[0]["ID"]
    uid = httpx.get(f"{archive.url}/instances/{study}/simplified-tags").json()["StudyInstanceUID"]
    configure(archive.url, "--node-port", node.port, "--send", uid)

    assert node.receives(film.uid)


def test_a_study_that_orthanc_does_not_have_is_named(archive: OrthancPeer, node: Node) -> None:
    assert "no such study: 1.2.3" in configure(archive.url, "--node-port", node.port, "--send", "1.2.3").stderr


def test_a_forwarding_orthanc_sends_on_what_arrives(archive: OrthancPeer, node: Node) -> None:
    configure(archive.url, "--node-port", node.port, "--auto")
    film = image()
    httpx.post(f"{archive.url}/instances", content=film.content).raise_for_status()

    assert node.receives(film.uid)


def test_a_forwarding_orthanc_sends_no_result_back(archive: OrthancPeer, node: Node) -> None:
    configure(archive.url, "--node-port", node.port, "--auto")
    result = image()
    pacs = StorageSCU(
        name="orthanc", host=HOST, port=archive.dicom_port, called_ae=archive.ae_title, calling_ae="AINODE"
    )
    pacs.deliver([result])

    assert not node.receives(result.uid, within_s=2.0)


def test_an_orthanc_that_runs_no_script_is_told_where_to_put_it(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        printed = configure(peer.url, "--no-echo", "--auto").stdout

    assert ("ExecuteLuaEnabled" in printed, "function OnStoredInstance" in printed) == (True, True)


def test_an_orthanc_that_is_down_is_named() -> None:
    ended = configure(f"http://{HOST}:{free_port()}")

    assert (ended.returncode, "no Orthanc answers at" in ended.stderr) == (1, True)


@pytest.mark.parametrize("url", ["notaurl", "", "ftp://host", "http://host:99999", "http://[host", "http://a..b"])
def test_an_address_that_is_no_url_is_told_what_one_is(url: str) -> None:
    ended = configure(url)

    assert (1, [f"configure_orthanc: {url!r}: Orthanc's address is http(s)://host:port, as in "]) == (
        ended.returncode,
        [line.removesuffix("http://127.0.0.1:8042") for line in ended.stderr.splitlines()],
    )


@pytest.mark.parametrize(
    "answer", [(200, b'{"a": 1}'), (200, b"<html>"), (200, b"[]"), (404, b""), (409, b"x"), (500, b"")]
)
def test_a_server_that_is_no_orthanc_is_named_in_one_line(answer: tuple[int, bytes]) -> None:
    with http_server(*answer) as url:
        ended = configure(url)

    named = f"configure_orthanc: what answers at {url} is not an Orthanc"
    assert (1, [named]) == (ended.returncode, [line[: len(named)] for line in ended.stderr.splitlines()])


def test_an_orthanc_that_asks_for_a_user_says_so(tmp_path: Path) -> None:
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"admin": "secret"}}
    with orthanc(tmp_path, options=users) as peer:
        ended = configure(peer.url, "--no-echo")

    assert (ended.returncode, "--password-file" in ended.stderr) == (1, True)


def test_a_password_file_opens_an_orthanc_that_asks_for_a_user(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"admin": "secret"}}
    with orthanc(tmp_path, options=users) as peer:
        user = ("--user", "admin", "--password-file", tmp_path / "password")
        ended = configure(peer.url, "--no-echo", *user)

    assert ended.returncode == 0


def test_the_help_names_every_option() -> None:
    printed = configure("--help").stdout

    assert {"--user", "--node-ae", "--node-host", "--node-port", "--send", "--auto"} <= set(printed.split())
