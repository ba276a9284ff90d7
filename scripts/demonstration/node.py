"""Runs the node as a user would: `dicom-node serve` with a configuration file."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.models.onnx import available_devices

HOST = "127.0.0.1"
AE_TITLE = "AINODE"
PROGRAM = Path(sys.executable).with_name("dicom-node")

CONFIG = """\
[node]
ae_title = "{ae_title}"
data_dir = "{data_dir}"

[receive]
host = "{host}"
port = {port}
quiet_s = 0.5

[work]
devices = ["{device}"]

[report.fhir]
patient_system = "urn:dicom-node:demo:patients"
create_patient = true      # a hospital's patients are there already; a stand-in has none

[[destination]]
kind = "c-store"
name = "pacs"
host = "{host}"
port = {pacs_port}
called_ae = "{pacs_ae}"
calling_ae = "{ae_title}"

[[destination]]
kind = "fhir"
name = "ehr"
base_url = "{fhir_url}"

[[destination]]
kind = "folder"
name = "folder"
directory = "{folder}"
"""


@dataclass(frozen=True)
class RunningNode:
    """A node that answers."""

    config: Path
    port: int

    def explain(self, study_uid: str) -> dict[str, Any] | None:
        """Return all that the node knows of a study, None before it arrived."""
        done = self._ask("explain", study_uid, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def timings(self) -> str:
        """Return the node's own table of where the time goes."""
        return self._ask("status", "--timings").stdout

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAM), *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, port: int, pacs: tuple[str, int], fhir_url: str) -> Iterator[RunningNode]:
    """Run a node with its data in a folder while the block runs; it is drained at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "node.toml"
    config.write_text(
        CONFIG.format(
            ae_title=AE_TITLE,
            data_dir=folder / "node-data",
            host=HOST,
            port=port,
            device=_device(),
            pacs_ae=pacs[0],
            pacs_port=pacs[1],
            fhir_url=fhir_url,
            folder=folder / "results",
        ),
        encoding="utf-8",
    )
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen([str(PROGRAM), "serve", "--config", str(config)], stdout=log, stderr=log)
    try:
        _wait_until_ready(process, port, folder)
        yield RunningNode(config, port)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 120
    log = folder / "node-data" / "log"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the node did not start:\n{(folder / 'serve.log').read_text()}")
        started = "".join(file.read_text() for file in log.glob("*.log")) if log.exists() else ""
        if '"role": "work"' in started and '"role": "receive"' in started:
            return
        time.sleep(0.1)
    raise SystemExit(f"the node did not start within 120 s; see {log} (port {port})")


def _device() -> str:
    return "cuda" if "cuda" in available_devices() else "cpu"
