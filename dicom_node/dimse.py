"""What the node says and does on a DICOM socket, as SCP and as SCU alike."""

from __future__ import annotations

import socket

from pynetdicom import evt

from structured_reports.provenance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

__all__ = ["IMPLEMENTATION_CLASS_UID", "IMPLEMENTATION_VERSION_NAME", "SOCKET_TUNING"]


def send_without_delay(event: evt.Event) -> None:
    """Switch Nagle's algorithm off on the socket of a new association."""
    _set_option(event, "TCP_NODELAY")
    _set_option(event, "TCP_QUICKACK")


def acknowledge_at_once(event: evt.Event) -> None:
    """Ask for an immediate TCP acknowledgement of what comes next: the kernel forgets the option.

    After a send as well: sending puts the kernel back to delayed acknowledgements, and a DCMTK answer is
    two segments, PDU header and PDU body.
    """
    _set_option(event, "TCP_QUICKACK")


# DCMTK 3.6.2 and later leave Nagle on (DCMTK FAQ 48), so its second small segment waits for our delayed TCP
# acknowledgement: 40 ms for every C-STORE with any DCMTK or Orthanc, whichever side sends.
SOCKET_TUNING: list[evt.EventHandlerType] = [
    (evt.EVT_CONN_OPEN, send_without_delay),
    (evt.EVT_DATA_SENT, acknowledge_at_once),
    (evt.EVT_DATA_RECV, acknowledge_at_once),
]
"""Event handlers for `AE.associate` and `AE.start_server`, in both roles."""


def _set_option(event: evt.Event, option: str) -> None:
    transport = event.assoc.dul.socket
    sock: socket.socket | None = transport.socket if transport else None
    number: int | None = getattr(socket, option, None)  # TCP_QUICKACK exists on Linux only
    if sock is None or number is None:
        return
    try:
        sock.setsockopt(socket.IPPROTO_TCP, number, 1)
    except OSError:
        return  # closed by the peer meanwhile: pynetdicom reports that itself
