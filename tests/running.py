"""A whole node as its users run it, and a PACS and a modality that remember everything."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

from tests.peers.peers import HOST, free_port

PROGRAM = str(Path(sys.executable).with_name("dicom-node"))
READY_S = 90.0


@dataclass
class NodeProcess:
    """``dicom-node serve`` in a folder; it can be killed and started again."""

    folder: Path
    tables: str = ""
    quiet_s: float = 0.3
    database: str = ""
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        database = f'database = "{self.database}"' if self.database else ""
        self.config.write_text(
            f'[node]\nae_title = "AINODE"\ndata_dir = "{self.data}"\n{database}\n'
            f'[receive]\nhost = "{HOST}"\nport = {self.port}\nquiet_s = {self.quiet_s}\n{self.tables}'
        )

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        before = self._starts()
        self.wait_for(lambda: self._starts() > before and echoes(self.port), READY_S)

    def kill(self) -> None:
        """Kill the supervisor as a power cut would; the kernel takes the roles along."""
        assert self.process
        self.process.kill()
        self.process.wait()
        self.wait_for(lambda: not echoes(self.port), 10)

    def stop(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def explain(self, study_uid: str) -> dict[str, Any] | None:
        done = self.command("explain", study_uid, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def delivered(
        self, study_uid: str, patience_s: float = 90.0, generation: int = 1, destination: str = ""
    ) -> dict[str, Any]:
        """Wait until a generation of a study is delivered, and return what the node tells of it.

        Everywhere, or to the one destination that is named.
        """
        told: dict[str, Any] = {}

        def done() -> bool:
            nonlocal told
            told = self.explain(study_uid) or {}
            generations = told.get("generations", [])
            if len(generations) < generation:
                return False
            everywhere = generations[generation - 1]["deliveries"]
            deliveries = [one for one in everywhere if destination in ("", one["destination"])]
            return bool(deliveries) and all(one["state"] == "delivered" for one in deliveries)

        self.wait_for(done, patience_s)
        return told

    def wait_for(self, ready: Any, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {patience_s:.0f} s\n{self.log()[-6000:]}")
            time.sleep(0.1)

    def log(self) -> str:
        files = [self.folder / "serve.log", *sorted((self.data / "log").glob("*.log"))]
        return "".join(f"--- {file.name}\n{file.read_text()}" for file in files if file.exists())

    def _starts(self) -> int:
        """Return how often a worker said that it is ready."""
        return sum(file.read_text().count('"role": "work"') for file in (self.data / "log").glob("work*.log"))


@contextlib.contextmanager
def running_node(folder: Path, **options: Any) -> Iterator[NodeProcess]:
    node = NodeProcess(folder, **options)
    node.start()
    try:
        yield node
    finally:
        node.stop()


def echoes(port: int) -> bool:
    ae = AE("TEST")
    ae.add_requested_context(Verification)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = 2
    assoc = ae.associate(HOST, port, ae_title="AINODE")
    if not assoc.is_established:
        return False
    status = assoc.send_c_echo()
    assoc.release()
    return status.get("Status") == 0x0000


def send(port: int, file: Path, calling_ae: str = "MODALITY") -> int | None:
    """Send one file; returns the C-STORE status, None where no response came."""
    dataset = pydicom.dcmread(file)
    ae = AE(calling_ae)
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    assoc = ae.associate(HOST, port, ae_title="AINODE")
    if not assoc.is_established:
        return None
    try:
        return assoc.send_c_store(dataset).get("Status")
    finally:
        if assoc.is_established:
            assoc.release()


def send_until_acknowledged(port: int, file: Path, patience_s: float = 60.0) -> None:
    """Send as a modality does: again until the node says that it keeps the instance."""
    deadline = time.monotonic() + patience_s
    while send(port, file) != 0x0000:
        assert time.monotonic() < deadline, "the node never acknowledged the instance"
        time.sleep(0.2)


@dataclass
class Pacs:
    """A Storage SCP that remembers every C-STORE: SOP Instance UID to the digests of what came under it."""

    port: int = field(default_factory=free_port)
    ae_title: str = "PACS"
    received: dict[str, list[str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def datasets(self) -> list[pydicom.Dataset]:
        return [pydicom.dcmread(BytesIO(content)) for content in self.contents.values()]

    def took_one_form_of_each(self, results: Iterable[dict[str, Any]], alone: bool = True) -> bool:
        """Return whether, of each DICOM result and its alternatives, one came here, and, alone, nothing else."""
        forms: dict[str, set[str]] = {}
        for one in (one for one in results if "dicom" in one["media_type"]):
            forms.setdefault(one["alternative_to"] or one["uid"], set()).add(one["uid"])
        came = set(self.received)
        expected: set[str] = set().union(*forms.values())
        return all(len(form & came) == 1 for form in forms.values()) and not (alone and came - expected)

    def destination(self, name: str = "pacs") -> str:
        return (
            f'\n[[destination]]\nkind = "c-store"\nname = "{name}"\nhost = "{HOST}"\nport = {self.port}\n'
            f'called_ae = "{self.ae_title}"\ncalling_ae = "AINODE"\n'
        )

    def _store(self, event: evt.Event) -> int:
        content = event.encoded_dataset()
        uid = str(event.request.AffectedSOPInstanceUID)
        self.received.setdefault(uid, []).append(hashlib.sha256(event.encoded_dataset(include_meta=False)).hexdigest())
        self.contents[uid] = content
        return 0x0000


@contextlib.contextmanager
def pacs(peer: Pacs | None = None) -> Iterator[Pacs]:
    """Run a PACS; one that ran before comes back with what it remembers."""
    peer = peer or Pacs()
    ae = AE(peer.ae_title)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(Verification)
    server = ae.start_server((HOST, peer.port), block=False, evt_handlers=[(evt.EVT_C_STORE, peer._store)])
    try:
        yield peer
    finally:
        server.shutdown()
