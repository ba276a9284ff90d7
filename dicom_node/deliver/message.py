"""One C-STORE request: an encoded data set out, a status back."""

from __future__ import annotations

from io import BytesIO

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from structured_reports.port import ResultObject

META_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
"""Head of (0002,0000), the first element of a Part 10 file (PS3.10 Table 7.1-1)."""

SHUTDOWN_S = 1.0
"""For the threads of an association that is over."""

MEDIUM_PRIORITY = 0x0000
"""PS3.7 Table 9.3-1."""


def encoded_data_set(result: ResultObject) -> bytes | None:
    """Return what follows the file meta information, None where the content is not a Part 10 file."""
    content = result.content
    if content[128:132] != b"DICM" or content[132:140] != META_GROUP_LENGTH:
        return None
    data_set = content[144 + int.from_bytes(content[140:144], "little") :]
    # Only a deflated one can be odd, and is padded then (PS3.5 A.5): DCMTK aborts at an odd fragment.
    return data_set + b"\0" if len(data_set) % 2 else data_set


def store_request(result: ResultObject, data_set: bytes, message_id: int) -> C_STORE:
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = MEDIUM_PRIORITY
    request.AffectedSOPClassUID = result.sop_class_uid
    request.AffectedSOPInstanceUID = result.uid
    request.DataSet = BytesIO(data_set)
    return request


def pause_reactor(event: evt.Event) -> None:
    """Keep pynetdicom's reactor thread off the answers from the beginning of an association.

    `Association.send_c_store` pauses it for each message, and takes it for paused while it is on its way to
    look for a message once more: it then swallows an answer that comes fast, once in 300 stores of 2 MB, and
    the store ends in a time-out.
    """
    event.assoc._reactor_checkpoint.clear()


def send(assoc: Association, request: C_STORE, context_id: int) -> int | None:
    """Return the status, None without an answer; the association is over then.

    What `Association.send_c_store` does after it has encoded a data set. It takes no encoded bytes, only a
    data set that it encodes anew, or a file; a temporary file would leave identity outside the spool after a
    crash.
    """
    assoc.dimse.send_msg(request, context_id)
    _, response = assoc.dimse.get_msg(block=True)
    if isinstance(response, C_STORE) and response.is_valid_response:
        return response.Status
    assoc._reactor_checkpoint.set()
    assoc._handle_no_response()
    assoc.join(SHUTDOWN_S)
    return None


def limit_writes(event: evt.Event, timeout_s: float) -> None:
    """Bound each write: pynetdicom clears the limit once connected, and a stalled peer would hold us."""
    transport = event.assoc.dul.socket
    if transport and transport.socket:
        transport.socket.settimeout(timeout_s)
