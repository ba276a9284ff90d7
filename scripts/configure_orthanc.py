"""Make an Orthanc and the node know each other, through Orthanc's REST API.

Registers the node as a DICOM modality of Orthanc, lets Orthanc send it a C-ECHO, and prints what to write
into orthanc.json so that this survives a restart, and the [[destination]] that brings the results back.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orthanc_api_client import OrthancApiClient
from orthanc_api_client import exceptions as orthanc_errors

FORWARD_LUA = """\
-- Sends each instance on as it arrives; the node judges itself when a study is complete.
-- Results come back from the node, so they are not sent to it again.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] == 'Lua' or origin['RemoteAet'] == '{node_ae}' then
    return
  end
  SendToModality(instanceId, '{modality}')
end
"""

# Transcoding stays off: the node takes every transfer syntax and keeps the bytes that the modality made.
PERMISSIONS = {
    "AllowEcho": True,
    "AllowStore": True,
    "AllowFind": False,
    "AllowGet": False,
    "AllowMove": False,
    "AllowTranscoding": False,
}


class ConfigurationError(Exception):
    """Orthanc cannot be configured; the message says what to do."""


def main() -> int:
    arguments = _arguments()
    try:
        _configure(arguments)
    except ConfigurationError as error:
        return _failed(str(error))
    except (orthanc_errors.ConnectionError, orthanc_errors.TimeoutError):
        return _failed(
            f"no Orthanc answers at {arguments.url}: is it running, is this its HttpPort, and is "
            "RemoteAccessAllowed true if it is another machine?"
        )
    except (orthanc_errors.NotAuthorized, orthanc_errors.Forbidden):
        return _failed(
            f"Orthanc at {arguments.url} asks for a user that may do this: give --user and --password-file "
            "(RegisteredUsers in orthanc.json)"
        )
    except orthanc_errors.HttpError as error:
        return _failed(f"Orthanc at {arguments.url} answered HTTP {error.http_status_code}: its log says why")
    return 0


def _failed(message: str) -> int:
    print(f"configure_orthanc: {message}", file=sys.stderr)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="configure_orthanc", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8042", help="Orthanc (%(default)s)")
    parser.add_argument("--user", help="of Orthanc's REST API")
    parser.add_argument("--password-file", type=Path, help="file that holds the password of that user")
    parser.add_argument("--node-ae", default="AINODE", help="AE title of the node (%(default)s)")
    parser.add_argument("--node-host", default="127.0.0.1", help="the node as Orthanc reaches it (%(default)s)")
    parser.add_argument("--node-port", type=int, default=11112, help="DICOM port of the node (%(default)s)")
    parser.add_argument("--modality", default="ainode", help="Orthanc's name for the node (%(default)s)")
    parser.add_argument("--no-echo", action="store_true", help="do not test the way to the node")
    parser.add_argument("--send", metavar="STUDY", help="then send a study: Orthanc's id or Study Instance UID")
    parser.add_argument("--auto", action="store_true", help="then let Orthanc send on every instance that arrives")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", arguments.modality):
        parser.error("--modality: letters, digits, - and _ only")
    if not re.fullmatch(r"[A-Za-z0-9_ .-]{1,16}", arguments.node_ae):
        parser.error("--node-ae: an AE title is 1 to 16 characters (PS3.5, VR AE)")
    return arguments


def _configure(arguments: argparse.Namespace) -> None:
    client = _client(arguments)
    system = _system(client, arguments.url)
    print(f"Orthanc {system['Version']}, AE title {system['DicomAet']}, DICOM port {system['DicomPort']}")
    _register(client, arguments)
    if not arguments.no_echo:
        _echo(client, arguments)
    if arguments.send:
        _send(client, arguments.modality, arguments.send)
    if arguments.auto:
        _forward(client, arguments)
    _explain(arguments, system["DicomAet"], system["DicomPort"])


def _client(arguments: argparse.Namespace) -> OrthancApiClient:
    if bool(arguments.user) != bool(arguments.password_file):
        raise ConfigurationError("--user and --password-file belong together")
    password = None
    if arguments.password_file:
        try:
            password = arguments.password_file.read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"--password-file: {error}") from error
    _require_url(arguments.url)
    return OrthancApiClient(arguments.url.rstrip("/") + "/", user=arguments.user, pwd=password)


def _require_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and parts.port != 0 and " " not in url
        named = named and bool((parts.hostname or "").encode("idna"))
    except ValueError:  # brackets, a port that is none, or a label that is empty or too long
        named = False
    if not named:
        raise ConfigurationError(f"{url!r}: Orthanc's address is http(s)://host:port, as in http://127.0.0.1:8042")


def _system(client: OrthancApiClient, url: str) -> dict[str, Any]:
    """Return what Orthanc says about itself."""
    fault = f"what answers at {url} is not an Orthanc: is this its HttpPort (8042 unless orthanc.json says another)?"
    try:
        # Not get_system(): the client answers None for an error that it has no exception for.
        answer = client.get("system")
        system = answer.json() if answer is not None else None
    except (orthanc_errors.NotAuthorized, orthanc_errors.Forbidden):
        raise
    except (orthanc_errors.HttpError, ValueError) as error:
        raise ConfigurationError(fault) from error
    if not isinstance(system, dict) or not system.keys() >= {"Version", "DicomAet", "DicomPort"}:
        raise ConfigurationError(fault)
    return system


def _register(client: OrthancApiClient, arguments: argparse.Namespace) -> None:
    address = {"AET": arguments.node_ae, "Host": arguments.node_host, "Port": arguments.node_port}
    client.modalities.configure(arguments.modality, {**address, **PERMISSIONS})
    where = f"{arguments.node_ae} at {arguments.node_host}:{arguments.node_port}"
    print(f"registered modality {arguments.modality}: {where}")


def _echo(client: OrthancApiClient, arguments: argparse.Namespace) -> None:
    try:
        client.post(f"modalities/{arguments.modality}/echo", json={"Timeout": 10})
    except orthanc_errors.HttpError as error:
        raise ConfigurationError(
            f"registered, but {arguments.node_ae} at {arguments.node_host}:{arguments.node_port} "
            "does not answer Orthanc's C-ECHO: is the node running, and are AE title, host and port as "
            "Orthanc sees them? (--no-echo registers without asking)"
        ) from error
    print("C-ECHO from Orthanc to the node: answered")


def _send(client: OrthancApiClient, modality: str, study: str) -> None:
    orthanc_id = client.studies.lookup(study) if re.fullmatch(r"[0-9.]+", study) else study
    if orthanc_id is None or not client.studies.exists(orthanc_id):
        raise ConfigurationError(f"--send: Orthanc has no such study: {study}")
    try:
        client.modalities.send(modality, orthanc_id)
    except orthanc_errors.HttpError as error:
        raise ConfigurationError(f"--send: the node did not take the study: HTTP {error.http_status_code}") from error
    print(f"sent study {orthanc_id} to {modality}")


def _forward(client: OrthancApiClient, arguments: argparse.Namespace) -> None:
    script = FORWARD_LUA.format(node_ae=arguments.node_ae, modality=arguments.modality)
    try:
        client.execute_lua_script(script.encode())
        print("every instance that arrives from now on is sent to the node, until Orthanc restarts")
    except orthanc_errors.HttpError:
        print("Orthanc runs no script over REST (ExecuteLuaEnabled is false, its safe default)")
    print('\nTo make it stay: save this as forward.lua and add it to "LuaScripts" in orthanc.json\n')
    print(script)


def _explain(arguments: argparse.Namespace, orthanc_ae: str, orthanc_port: int) -> None:
    node = [arguments.node_ae, arguments.node_host, arguments.node_port]
    host = urlsplit(arguments.url).hostname
    print(f"""
orthanc.json, so that a restart keeps it and results are let in:

  "DicomModalities": {{ {json.dumps(arguments.modality)}: {json.dumps(node)} }},
  "DicomAet": {json.dumps(orthanc_ae)},
  "DicomPort": {orthanc_port},

Orthanc takes results from any sender by default; with "DicomAlwaysAllowStore": false it takes them from the
modality above. With "DicomCheckModalityHost": true its host must be where the node sends from.

settings of the node, so that results come back into the study:

[[destination]]
kind = "c-store"
name = "orthanc"
host = {json.dumps(host)}
port = {orthanc_port}
called_ae = {json.dumps(orthanc_ae)}
calling_ae = {json.dumps(arguments.node_ae)}
""")


if __name__ == "__main__":
    sys.exit(main())
