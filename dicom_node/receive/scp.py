"""The Storage and Verification SCP."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseServer
from typing import Any, Protocol, cast

from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node import dimse
from dicom_node.checkpoint import reached
from dicom_node.errors import NotAnInstanceError, StartError
from dicom_node.observe.events import InstanceRefused, InstanceStored, say
from dicom_node.receive.index import Index, Opened, Released, Stored
from dicom_node.study import ReceivedInstance, study_key

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1

# A temporary file that has not grown for so long belongs to no open association.
ABANDONED_S = 3600.0

# Beyond this many unwritten arrivals the ledger is in trouble, and senders shall hold back.
MOST_WAITING = 20_000


class Kept(Protocol):
    """What became of an instance that arrived."""

    @property
    def instance(self) -> ReceivedInstance: ...
    @property
    def again(self) -> bool: ...


class Spool(Protocol):
    """Where instances become durable."""

    @property
    def is_full(self) -> bool: ...
    def keep(self, arrived: Path, *, expected_sop_class: str) -> Kept: ...
    def sync(self, study_uids: set[str]) -> None: ...


@dataclass
class _Association:
    """What is known of an open association."""

    id: str
    calling_ae: str
    studies: set[str] = field(default_factory=set)


class _SharedSocketServer(ThreadedAssociationServer):
    """Serves on a listening socket that the supervisor opened, so that a killed receiver refuses nobody."""

    request_queue_size = 128
    listener: socket.socket | None = None

    @property
    def _socket(self) -> socket.socket:
        return cast(socket.socket, self.socket)

    def server_bind(self) -> None:
        if self.listener is None:
            super().server_bind()
            return
        self._socket.close()
        self.socket = self.listener
        self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        if self.listener is None:
            super().server_activate()
        # Another receiver may take the connection between select and accept.
        self._socket.setblocking(False)

    def shutdown(self) -> None:
        # pynetdicom's own asks the AE to forget the server, which only `AE.start_server` makes known to it.
        BaseServer.shutdown(self)

    def server_close(self) -> None:
        # A shutdown would deafen the other receivers that share the socket.
        if self.listener is None:
            super().server_close()
        else:
            self._socket.close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setblocking(True)
        connection.settimeout(self.ae.network_timeout)
        return connection, address


@dataclass(frozen=True)
class StorageSCP:
    """Takes every storage SOP class in every transfer syntax, as it arrives.

    Attributes
    ----------
    calling_ae_titles
        Who may send; everybody where it is empty.
    listener
        A listening socket that was handed over; one is opened on `host` and `port` where it is None.
    """

    ae_title: str
    host: str
    port: int
    maximum_associations: int
    require_called_ae: bool = True
    calling_ae_titles: tuple[str, ...] = ()
    network_timeout_s: float = 60.0
    listener: socket.socket | None = None

    @contextmanager
    def serving(self, spool: Spool, index: Index, incoming: Path) -> Iterator[int]:
        """Serve while the block runs; yields the port.

        Parameters
        ----------
        incoming
            Folder for what is being received, on the file system of the spool.

        Raises
        ------
        StartError
            The port is in use.
        """
        server = self._server(_Reception(spool, index, incoming))
        # Data sets go to disk while they arrive, undecoded: memory stays flat for an instance of any size.
        tempfile.tempdir = str(incoming)
        _config.STORE_RECV_CHUNKED_DATASET = True
        # Every storage SOP class, retired and private ones too, in the first transfer syntax that is proposed.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="scp", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            _drain(server)
            server.server_close()

    def _server(self, reception: _Reception) -> ThreadedAssociationServer:
        try:
            return self._application_entity().make_server(
                (self.host, self.port),
                ae_title=self.ae_title,
                evt_handlers=reception.handlers(),
                server_class=type("Server", (_SharedSocketServer,), {"listener": self.listener}),
            )
        except OSError as error:
            raise StartError(f"receive.port: {self.host}:{self.port}: {error.strerror}; choose a free port") from error

    def _application_entity(self) -> AE:
        ae = AE(self.ae_title)
        ae.implementation_class_uid = dimse.IMPLEMENTATION_CLASS_UID
        ae.implementation_version_name = dimse.IMPLEMENTATION_VERSION_NAME
        ae.add_supported_context(Verification)
        ae.require_called_aet = self.require_called_ae
        ae.require_calling_aet = list(self.calling_ae_titles)
        ae.maximum_associations = self.maximum_associations
        ae.maximum_pdu_size = 1 << 18
        ae.network_timeout = self.network_timeout_s
        return ae


def _drain(server: ThreadedAssociationServer, patience_s: float = 15.0) -> None:
    """Let open associations end; what they have not got acknowledged, the sender sends again."""
    deadline = time.monotonic() + patience_s
    while server.active_associations and time.monotonic() < deadline:
        time.sleep(0.05)
    for assoc in server.active_associations:
        assoc.abort()


class _Reception:
    """Answers the events of all associations of one receiver."""

    def __init__(self, spool: Spool, index: Index, incoming: Path) -> None:
        self._spool = spool
        self._index = index
        self._incoming = incoming
        self._open: dict[int, _Association] = {}

    def handlers(self) -> list[evt.EventHandlerType]:
        return [
            *dimse.SOCKET_TUNING,
            (evt.EVT_C_ECHO, lambda _event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_SENT, self._sent),
            # Whichever way an association ends: a release, an abort of either side, a broken connection.
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def _association(self, event: evt.Event) -> _Association:
        """Return the association of an event; it becomes known with its first instance."""
        known = self._open.get(id(event.assoc))
        if known is None:
            known = _Association(uuid.uuid4().hex, str(event.assoc.requestor.ae_title).strip())
            self._open[id(event.assoc)] = known
            self._index.add(Opened(known.id, known.calling_ae, time.time()))
        return known

    def _store(self, event: evt.Event) -> int:
        status = self._stored(event)
        transport = event.assoc.dul.socket
        if transport is None or transport.socket is None:
            # The connection broke while the instance was being kept: nobody else will note the end.
            self._closed(event)
        return status

    def _stored(self, event: evt.Event) -> int:
        reached("instance-arrived")
        arrived = Path(event.dataset_path)
        association = self._association(event)
        try:
            if self._spool.is_full or self._index.waiting > MOST_WAITING:
                raise OSError("free space is below receive.reserve_mb, or the ledger lags behind")
            kept = self._spool.keep(arrived, expected_sop_class=str(event.request.AffectedSOPClassUID))
        except NotAnInstanceError as error:
            return self._refuse(association, arrived, error.status, str(error))
        except OSError as error:
            # The sender keeps the instance and tries again: PS3.4 B.2.3, Refused: Out of Resources.
            return self._refuse(association, arrived, OUT_OF_RESOURCES, error.strerror or str(error))
        association.studies.add(kept.instance.study_uid)
        if not kept.again:
            self._index.add(Stored(association.id, kept.instance))
        self._tell(association, kept)
        reached("instance-durable")
        return SUCCESS

    def _refuse(self, association: _Association, arrived: Path, status: int, reason: str) -> int:
        arrived.unlink(missing_ok=True)
        say(InstanceRefused(association.calling_ae, f"0x{status:04X}", reason))
        return status

    def _tell(self, association: _Association, kept: Kept) -> None:
        stored = kept.instance
        say(
            InstanceStored(
                study_key(stored.study_uid),
                association.calling_ae,
                stored.sop_class_uid,
                stored.size,
                kept.again,
            )
        )

    def _sent(self, event: evt.Event) -> None:
        if (association := self._open.get(id(event.assoc))) and association.studies:
            reached("instance-acknowledged")

    def _closed(self, event: evt.Event) -> None:
        association = self._open.pop(id(event.assoc), None)
        if association is None:
            return
        # The folder before the release: a study may be sealed from here on.
        self._spool.sync(association.studies)
        reached("association-released")
        self._index.add(Released(association.id, time.time()))
        self._sweep()

    def _sweep(self) -> None:
        """Remove what broken associations left half received."""
        for file in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > ABANDONED_S:
                    file.unlink()
