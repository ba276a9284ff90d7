"""`dicom-node serve`: supervisor keeps the roles alive.

It opens the DICOM port once and hands it to every receiver, so a receiver that dies refuses nobody: the
kernel holds the connection until another one, or its successor, takes it.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import NoReturn

from dicom_node.errors import StartError
from dicom_node.settings import Settings

# Set for the roles that supervisor starts: they end with it, and find the tables migrated.
SUPERVISOR = int(os.environ.get("DICOM_NODE_SUPERVISOR", "0")) or None

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
umask=077
"""

_PROGRAM = """
[{section}:{name}]
command={command}
environment=DICOM_NODE_SUPERVISOR="{supervisor}"
process_name=%(program_name)s-%(process_num)d
numprocs={processes}
autorestart=true
startsecs=1
startretries=1000000
stopwaitsecs=60
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
    base = f"{_quoted(sys.executable)} -m dicom_node"
    options = f"--data-dir {_quoted(data_dir)}" + (f" --config {_quoted(config.resolve())}" if config else "")
    programs = [
        _PROGRAM.format(
            section="program",
            name=f"work-{device.replace(':', '-')}",
            command=f"{base} work --slot {slot} --device {device} {options}",
            processes=1,
            supervisor=os.getpid(),
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
            supervisor=os.getpid(),
            priority=_RECEIVE_LAST,
            log=log,
            extra=f"socket=tcp://{receive.host}:{receive.port}\nsocket_backlog=128",
        )
    )
    return _HEAD.format(log=log, run=run) + "".join(programs)


def _quoted(path: Path | str) -> str:
    """Return a path as one word of a supervisor command.

    Raises
    ------
    StartError
        It holds a percent sign, which begins an expansion there.
    """
    if "%" in str(path):
        raise StartError(f"{path}: a path of a supervised node has no percent sign")
    return shlex.quote(str(path))


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
    data_dir, text = settings.node.data_dir, supervisor_config(settings, config)
    for folder in ("log", "run"):
        (data_dir / folder).mkdir(parents=True, exist_ok=True)
    file = data_dir / "run" / "supervisor.conf"
    file.write_text(text, encoding="utf-8")
    # The supervisor takes this process's place: who started it stops it with the same signals.
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)])  # noqa: S606
