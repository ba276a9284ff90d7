"""Real peers on free loopback ports, each in a folder of its own and ended by its process id."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

HOST = "127.0.0.1"
START_LIMIT_S = 60.0


@dataclass(frozen=True)
class OrthancPeer:
    """An Orthanc with the DICOMweb plug-in under ``/dicom-web/``."""

    url: str
    ae_title: str
    dicom_port: int
    log: Path

    def count(self, level: str = "instances") -> int:
        return len(httpx.get(f"{self.url}/{level}").raise_for_status().json())

    def stored(self, sop_instance_uid: str) -> bytes | None:
        """Return the Part 10 file that Orthanc holds for a SOP Instance UID."""
        found = httpx.post(f"{self.url}/tools/lookup", content=sop_instance_uid).raise_for_status().json()
        if not found:
            return None
        return httpx.get(f"{self.url}{found[0]['Path']}/file").raise_for_status().content


@dataclass(frozen=True)
class StoreSCPPeer:
    """A DCMTK storescp that writes what it receives bit by bit."""

    ae_title: str
    port: int
    received: Path
    log: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.received.iterdir() if path.is_file())


@dataclass(frozen=True)
class FhirPeer:
    """A sekmet-fhir server, R4."""

    base_url: str
    log: Path

    def total(self, query: str) -> int:
        separator = "&" if "?" in query else "?"
        answer = httpx.get(f"{self.base_url}/{query}{separator}_summary=count").raise_for_status().json()
        return int(answer["total"])


def peer_missing(name: str) -> NoReturn:
    """Skip the test and say what to install; under CI a missing peer is a failure."""
    message = f"{name} is not installed (Debian: orthanc orthanc-dicomweb dcmtk postgresql; Python: sekmet-fhir)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def orthanc(
    tmp: Path,
    *,
    ae_title: str = "ORTHANC",
    modalities: Mapping[str, tuple[str, str, int]] | None = None,
    dicom_port: int | None = None,
    options: Mapping[str, object] | None = None,
) -> Iterator[OrthancPeer]:
    """Run an Orthanc.

    Parameters
    ----------
    modalities
        AE title, host and port by name.
    dicom_port
        For a peer that comes back at the address where it was.
    options
        Of its configuration, over those set here.
    """
    http_port = free_port()
    peer = OrthancPeer(f"http://{HOST}:{http_port}", ae_title, dicom_port or free_port(), tmp / "orthanc.log")
    storage = tmp / "orthanc-storage"
    storage.mkdir(parents=True, exist_ok=True)
    settings = {
        "Name": "peer",
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "DicomAet": ae_title,
        "DicomPort": peer.dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalitiesInDatabase": True,
        "OverwriteInstances": False,
        "StableAge": 1,
        "Plugins": [str(plugin) for plugin in _dicomweb_plugins()],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **(options or {}),
    }
    if modalities:
        settings |= {"DicomModalitiesInDatabase": False, "DicomModalities": dict(modalities)}
    configuration = tmp / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    user = (options or {}).get("RegisteredUsers")
    auth = next(iter(user.items())) if isinstance(user, dict) else None
    with _running([_binary("Orthanc"), str(configuration)], peer.log):
        _wait_for(lambda: httpx.get(f"{peer.url}/system", auth=auth).is_success, peer.log)
        _wait_for(lambda: _listens(peer.dicom_port), peer.log)
        yield peer


@contextmanager
def storescp(
    tmp: Path, *, ae_title: str = "STORESCP", port: int | None = None, options: Sequence[str] = ()
) -> Iterator[StoreSCPPeer]:
    """Run a DCMTK storescp; `options` go before the port, as in ``--abort-after``."""
    peer = StoreSCPPeer(ae_title, port or free_port(), tmp / "received", tmp / "storescp.log")
    peer.received.mkdir(parents=True, exist_ok=True)
    command = [_binary("storescp"), "--verbose", "--bit-preserving", "--aetitle", ae_title]
    command += ["--output-directory", str(peer.received), *options, str(peer.port)]
    with _running(command, peer.log):
        _wait_for(lambda: _listens(peer.port), peer.log)
        yield peer


@contextmanager
def sekmet(tmp: Path, *, port: int | None = None, token: str | None = None) -> Iterator[FhirPeer]:
    """Run a sekmet-fhir server, open or with one bearer token."""
    tmp.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    peer = FhirPeer(f"http://{HOST}:{port}/fhir", tmp / "sekmet.log")
    settings = {
        "base_url": peer.base_url,
        "host": HOST,
        "port": port,
        "data_dir": str(tmp / "sekmet-data"),
        "simulator": {"enabled": False},
        "server_auth": {"types": ["bearer"], "tokens": [token]} if token else {"types": ["none"]},
    }
    configuration = tmp / "sekmet.yaml"
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    program = Path(sys.executable).with_name("sekmet")
    if not program.exists():
        peer_missing("sekmet")
    with _running([str(program), "serve", "-c", str(configuration)], peer.log, cwd=tmp):
        _wait_for(lambda: httpx.get(f"{peer.base_url}/metadata").status_code in {200, 401}, peer.log)
        yield peer


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server and yield the URL of an empty database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        peer_missing("postgresql")
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    # PostgreSQL refuses to run as root; Debian's package brings a user for it.
    as_user: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data, binary = folder / "data", programs[-1].parent
    initdb = [*as_user, str(programs[-1]), "-D", str(data), "-U", "node", "--auth=trust", "--encoding=UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    options = ["-D", str(data), "-p", str(port), "-c", f"listen_addresses={HOST}", "-k", str(folder)]
    log = folder / "postgres.log"
    try:
        with _running([*as_user, str(binary / "postgres"), *options], log, cwd=folder):
            # It listens before it has started up
            ready = [str(binary / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
            _wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, log)
            subprocess.run(
                [*as_user, str(binary / "createdb"), "-h", HOST, "-p", str(port), "-U", "node", "node"],
                check=True,
                cwd=folder,
            )
            yield f"postgresql+psycopg://node@{HOST}:{port}/node"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def echoes(port: int, ae_title: str) -> bool:
    """Return whether a DICOM peer answers a C-ECHO."""
    ae = AE("TEST")
    ae.add_requested_context(Verification)
    assoc = ae.associate(HOST, port, ae_title=ae_title)
    if not assoc.is_established:
        return False
    status = assoc.send_c_echo()
    assoc.release()
    return status.get("Status") == 0x0000


def orthanc_program() -> str:
    """Return the path of Orthanc."""
    return _binary("Orthanc")


def dcmtk(program: str) -> str:
    """Return the path of a program of DCMTK."""
    return _binary(program)


def _binary(name: str) -> str:
    found = shutil.which(name, path=_system_path())
    if found is None:
        peer_missing(name)
    return found


def _system_path() -> str:
    """Return the search path with Debian's folder for servers, without the environment that the tests run in.

    pynetdicom puts its own ``storescp`` and ``storescu`` there, and DCMTK's are wanted.
    """
    environment = Path(sys.executable).parent
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join([folder for folder in folders if Path(folder) != environment] + ["/usr/sbin"])


def _dicomweb_plugins() -> list[Path]:
    folders = [Path("/usr/share/orthanc/plugins"), Path("/usr/local/share/orthanc/plugins")]
    return [path for folder in folders for path in folder.glob("libOrthancDicomWeb*.so*")][:1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _wait_for(ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"the peer did not start within {START_LIMIT_S:g} s:\n{log.read_text()[-2000:]}")


@contextmanager
def _running(command: list[str], log: Path, cwd: Path | None = None) -> Iterator[None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, cwd=cwd)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
