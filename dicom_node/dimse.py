"""What the node says and does on a DICOM socket, as SCP and as SCU alike."""

from __future__ import annotations

import socket

from pynetdicom import evt

from structured_reports.provenance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

__all__ = ["IMPLEMENTATION_CLASS_UID", "IMPLEMENTATION_VERSION_NAME", "SOCKET_TUNING"]


def answer_without_delay(event: evt.Event) -> None:
    """Let neither end of a new association wait for the other's timer.

    DCMTK 3.6.2 and later leave Nagle's algorithm on (DCMTK FAQ 48) and write a PDU as header and body. The body
    then waits for our acknowledgement of the header, which Linux delays by 40 ms: for every C-STORE, with any
    DCMTK or Orthanc, whichever side sends. The kernel forgets TCP_QUICKACK after use, so it is asked for between
    the two reads that pynetdicom makes of each PDU.
    """
    _set_option(event, "TCP_NODELAY")
    transport = event.assoc.dul.socket
    if transport is None:
        return
    receive = transport.recv

    def receive_and_acknowledge(nr_bytes: int) -> bytearray:
        received = receive(nr_bytes)
        _set_option(event, "TCP_QUICKACK")
        return received

    transport.recv = receive_and_acknowledge  # type: ignore[method-assign]


SOCKET_TUNING: list[evt.EventHandlerType] = [(evt.EVT_CONN_OPEN, answer_without_delay)]
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
