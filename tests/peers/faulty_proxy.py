"""An HTTP proxy in front of a real FHIR server that spoils chosen transactions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass(frozen=True)
class Fault:
    """What the proxy does with one transaction instead of passing it on.

    Attributes
    ----------
    commits
        The server takes the transaction all the same: only its answer is lost or spoiled.
    cut
        The connection ends without an answer.
    """

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, object] | None = None
    commits: bool = False
    cut: bool = False


@contextmanager
def faulty_proxy(base_url: str, *faults: Fault) -> Iterator[str]:
    """Serve the FHIR server at another address; the first transactions meet the faults, later ones none."""
    pending = list(faults)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/fhir" or not pending:
                self._pass_on(body)
                return
            fault = pending.pop(0)
            if fault.commits:
                self._forward(body)
            if fault.cut:
                self.close_connection = True
                self.connection.close()
                return
            self._reply(fault.status, json.dumps(fault.body or {}).encode(), fault.headers)

        def _pass_on(self, body: bytes) -> None:
            answer = self._forward(body)
            self._reply(answer.status_code, answer.content, {})

        def _forward(self, body: bytes) -> httpx.Response:
            passed = {"Content-Type", "Accept", "Authorization"}
            headers = {name: value for name, value in self.headers.items() if name in passed}
            url = base_url + self.path.removeprefix("/fhir")
            return httpx.request(self.command, url, content=body, headers=headers)

        def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing: the test speaks."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/fhir"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
