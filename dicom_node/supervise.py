"""`dicom-node serve`: supervisor keeps the roles alive.

It opens the DICOM port once and hands it to every receiver, so a receiver that dies refuses nobody: the
kernel holds the connection until another one, or its successor, takes it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from dicom_node.errors import StartError
from dicom_node.settings import Settings

# Set for the roles that supervisor starts: they end with it, and find the tables migrated.
SUPERVISED = bool(os.environ.get("DICOM_NODE_SUPERVISED"))

# Started in this order and stopped in the reverse: nothing is taken that nobody is there to read.
_WORK_FIRST, _RECEIVE_LAST = 10, 20

_HEAD = """\
[supervisord]
nodaemon=true
logfile={log}/supervisor.log
logfile_maxbytes=10MB
pidfile={run}/supervisord.pid
childlogdir={log}
silent=true
"""

_PROGRAM = """
[{section}:{name}]
command={command}
environment=DICOM_NODE_SUPERVISED="1"
process_name=%(program_name)s-%(process_num)d
numprocs={processes}
autorestart=true
startsecs=1
startretries=1000000
stopwaitsecs=30
priority={priority}
redirect_stderr=true
stdout_logfile={log}/%(program_name)s-%(process_num)d.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=5
{extra}
"""


def supervisor_config(settings: Settings, config: Path | None) -> str:
    """Return supervisor's configuration for one node on this machine."""
    data_dir, receive = settings.node.data_dir, settings.receive
    log, run = data_dir / "log", data_dir / "run"
    base = f"{sys.executable} -m dicom_node"
    options = f"--data-dir {data_dir}" + (f" --config {config.resolve()}" if config else "")
    programs = [
        _PROGRAM.format(
            section="program",
            name=f"work-{device.replace(':', '-')}",
            command=f"{base} work --slot {slot} --device {device} {options}",
            processes=1,
            priority=_WORK_FIRST,
            log=log,
            extra="",
        )
        for slot, device in enumerate(settings.work.devices)
    ]
    programs.append(
        _PROGRAM.format(
            section="fcgi-program",
            name="receive",
            command=f"{base} receive --slot %(process_num)d --inherit {options}",
            processes=receive.processes,
            priority=_RECEIVE_LAST,
            log=log,
            extra=f"socket=tcp://{receive.host}:{receive.port}\nsocket_backlog=128",
        )
    )
    return _HEAD.format(log=log, run=run) + "".join(programs)


def require_free_port(host: str, port: int) -> None:
    """Raise where the DICOM port cannot be opened.

    Raises
    ------
    StartError
        Something else listens there, or the address is not of this machine.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(f"receive.port: {host}:{port}: {error.strerror}; choose a free port") from error


def supervise(settings: Settings, config: Path | None) -> NoReturn:
    """Replace this process by a supervisor of all roles."""
    data_dir = settings.node.data_dir
    for folder in ("log", "run"):
        (data_dir / folder).mkdir(parents=True, exist_ok=True)
    file = data_dir / "run" / "supervisor.conf"
    file.write_text(supervisor_config(settings, config), encoding="utf-8")
    # The supervisor takes this process's place: who started it stops it with the same signals.
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)])  # noqa: S606
