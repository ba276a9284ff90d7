"""OHIF and an Orthanc's DICOMweb on one origin, as behind a hospital's reverse proxy."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.peers.peers import HOST

_DICOMWEB = "/dicom-web"
_SOURCE = {
    "sourceName": "orthanc",
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        "qidoRoot": _DICOMWEB,
        "wadoRoot": _DICOMWEB,
        "wadoUriRoot": "/wado",
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True},
    },
}
_CONFIGURATION = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "orthanc",
    "dataSources": [_SOURCE],
}


@contextmanager
def served(ohif: Path, orthanc_url: str) -> Iterator[str]:
    """Serve the built viewer in a folder with an Orthanc behind it, and yield the URL."""
    with httpx.Client(base_url=orthanc_url, timeout=30) as orthanc:
        server = ThreadingHTTPServer((HOST, 0), partial(_Handler, ohif, orthanc))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, ohif: Path, orthanc: httpx.Client, *arguments: object) -> None:
        self._ohif, self._orthanc = ohif, orthanc
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith((f"{_DICOMWEB}/", "/wado")):
            self._forward()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", f"window.config = {json.dumps(_CONFIGURATION)};".encode())
        else:
            self._send_file(path)

    def _forward(self) -> None:
        """Ask Orthanc under the host name of the viewer: it writes that into the addresses that it gives."""
        kept = {name: value for name, value in self.headers.items() if name.lower() in {"accept", "host"}}
        given = self._orthanc.get(self.path, headers=kept)
        self._answer(given.status_code, given.headers.get("content-type", "application/octet-stream"), given.content)

    def _send_file(self, path: str) -> None:
        """Send a file of the viewer; every other path is a page that its index draws itself."""
        file = (self._ohif / path.lstrip("/")).resolve()
        if not (file.is_file() and file.is_relative_to(self._ohif.resolve())):
            file = self._ohif / "index.html"
        # Without this type a browser does not compile the decoders
        kind = "application/wasm" if file.suffix == ".wasm" else mimetypes.guess_type(file.name)[0]
        self._answer(200, kind or "application/octet-stream", file.read_bytes())

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in http.server
        """Say nothing: what matters is asserted."""
