"""An Orthanc as the hospital's PACS: it has the studies, sends them to the node, and gets the results back."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
from orthanc_api_client import OrthancApiClient

HOST = "127.0.0.1"


@dataclass(frozen=True)
class OrthancPacs:
    """A running Orthanc.

    Attributes
    ----------
    folder
        Where its instances are written to be looked at.
    """

    url: str
    port: int
    folder: Path
    ae_title: str = "ORTHANC"

    def upload(self, file: Path) -> None:
        """Store a file, as a modality would have."""
        OrthancApiClient(self.url).upload_file(file)

    def send(self, study_uid: str, node: str) -> None:
        """Have Orthanc send a study to the node, and wait until the last C-STORE is answered."""
        client = OrthancApiClient(self.url)
        client.modalities.send(node, [client.studies.lookup(study_uid)])

    def files(self, study_uid: str) -> list[Path]:
        """Write the results that the study has got to the folder and return them."""
        client = OrthancApiClient(self.url)
        target = self.folder / study_uid
        target.mkdir(parents=True, exist_ok=True)
        for instance in client.studies.get_instances_ids(client.studies.lookup(study_uid)):
            content = client.instances.get_file(instance)
            if int(pydicom.dcmread(BytesIO(content), stop_before_pixels=True).get("SeriesNumber") or 0) > 9000:
                (target / f"{instance}.dcm").write_bytes(content)
        return sorted(target.glob("*.dcm"))


@contextmanager
def orthanc_pacs(folder: Path, node: tuple[str, int], port: int, http_port: int) -> Iterator[OrthancPacs]:
    """Run an Orthanc that knows the node while the block runs."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise SystemExit("--pacs orthanc: Orthanc is not installed (Debian: apt-get install orthanc)")
    storage = folder / "orthanc"
    storage.mkdir(parents=True)
    pacs = OrthancPacs(f"http://{HOST}:{http_port}", port, folder / "pacs")
    config = {
        "Name": "demo",
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "DicomAet": pacs.ae_title,
        "DicomPort": port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
        "DicomModalities": {"node": [node[0], HOST, node[1]]},
    }
    (folder / "orthanc.json").write_text(json.dumps(config, indent=2))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        _wait_until_ready(pacs, process)
        yield pacs
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(pacs: OrthancPacs, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{pacs.url}/system").is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("Orthanc did not start; see orthanc.log")
