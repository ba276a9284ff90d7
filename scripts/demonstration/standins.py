"""A small PACS and a small FHIR server, where no real ones are configured.

They keep what they get and check it as a real one would: the PACS by SOP Instance UID, the FHIR server by the
business identifiers of a transaction's entries.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

HOST = "127.0.0.1"


@dataclass
class StandInPacs:
    """What the PACS has: one file an instance, and how often each was sent."""

    folder: Path
    ae_title: str = "DEMOPACS"
    port: int = 0
    sent: dict[str, int] = field(default_factory=dict)

    def files(self, study_uid: str) -> list[Path]:
        """Return the instances of a study."""
        return sorted(self.folder.glob(f"{study_uid}/*.dcm"))

    def store(self, event: evt.Event) -> int:
        """Keep an instance as it arrived."""
        header = event.dataset
        uid = str(header.SOPInstanceUID)
        file = self.folder / str(header.StudyInstanceUID) / f"{uid}.dcm"
        content = event.encoded_dataset()
        self.sent[uid] = self.sent.get(uid, 0) + 1
        if file.exists() and file.read_bytes() != content:
            return 0xA900  # the same UID for another content is what a PACS must not accept
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return 0x0000


@contextmanager
def stand_in_pacs(folder: Path) -> Iterator[StandInPacs]:
    """Serve a PACS stand-in while the block runs."""
    pacs = StandInPacs(folder)
    ae = AE(pacs.ae_title)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(Verification)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, pacs.store)])
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        server.shutdown()


@dataclass
class StandInFhir:
    """What the FHIR server has: resources by type and id."""

    base_url: str = ""
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, kind: str, parameter: str, token: str) -> list[str]:
        """Return the references of a type that carry a business identifier or a tag, given as ``system|value``."""
        return [
            reference
            for reference, resource in self.resources.items()
            if reference.startswith(f"{kind}/") and token in _tokens(resource, parameter)
        ]

    def transact(self, bundle: dict[str, Any]) -> list[dict[str, str]]:
        """Take a transaction: everything, or a `LookupError` and nothing."""
        plan = [self._place(entry) for entry in bundle["entry"]]
        addresses = {entry["fullUrl"]: reference for entry, (reference, _) in zip(bundle["entry"], plan, strict=True)}
        for entry, (reference, is_new) in zip(bundle["entry"], plan, strict=True):
            if is_new:
                text = json.dumps(entry["resource"])
                for url, address in addresses.items():
                    text = text.replace(f'"{url}"', f'"{address}"')
                self.resources[reference] = json.loads(text)
        return [
            {"status": "201 Created" if is_new else "200 OK", "location": f"{reference}/_history/1"}
            for reference, is_new in plan
        ]

    def _place(self, entry: dict[str, Any]) -> tuple[str, bool]:
        resource, request = entry["resource"], entry["request"]
        if request["method"] == "PUT":
            return request["url"], request["url"] not in self.resources
        for parameter, token in parse_qsl(request.get("ifNoneExist", "")):
            if found := self.find(resource["resourceType"], parameter, token):
                return found[0], False
        return f"{resource['resourceType']}/{entry['fullUrl'].rsplit(':', 1)[-1]}", True


def _tokens(resource: dict[str, Any], parameter: str) -> set[str]:
    """Return what a token search (FHIR R4 3.1.1.4.10) would compare."""
    if parameter == "_tag":
        return {f"{tag.get('system', '')}|{tag.get('code')}" for tag in resource.get("meta", {}).get("tag", [])}
    return {f"{one.get('system', '')}|{one.get('value')}" for one in resource.get("identifier", [])}


@contextmanager
def stand_in_fhir() -> Iterator[StandInFhir]:
    """Serve a FHIR R4 stand-in while the block runs."""
    store = StandInFhir()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/metadata"):
                self._answer(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
            else:
                self._answer(404, {"resourceType": "OperationOutcome", "issue": []})

        def do_POST(self) -> None:
            bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            entries = [{"response": response} for response in store.transact(bundle)]
            self._answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

        def _answer(self, status: int, resource: dict[str, Any]) -> None:
            content = json.dumps(resource).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the table tells."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    store.base_url = f"http://{HOST}:{server.server_address[1]}/fhir"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
