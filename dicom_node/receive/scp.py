"""The Storage and Verification SCP."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseServer
from typing import Any, Protocol, cast

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node import dimse
from dicom_node.checkpoint import reached
from dicom_node.errors import NotAnInstanceError, StartError
from dicom_node.observe.events import IndexUnavailable, InstanceRefused, InstanceStored, name_of, say
from dicom_node.receive.index import Index, Opened, Released, Stored
from dicom_node.study import ReceivedInstance, study_key

SUCCESS = 0x0000
CANNOT_UNDERSTAND = 0xC000
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
    def sync(self, study_uids: Collection[str]) -> None: ...


@dataclass
class _Association:
    """What is known of an open association.

    Attributes
    ----------
    thread
        Its end is the end of the association, however that came: release, abort of either side, a broken
        connection, an error of the library.
    """

    id: str
    calling_ae: str
    thread: Association
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
        reception = _Reception(spool, index, incoming)
        server = self._server(reception)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="scp", daemon=True)
        with _library_settings(incoming):
            thread.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                _drain(server)
                reception.wait(10.0)
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


@contextmanager
def _library_settings(incoming: Path) -> Iterator[None]:
    """Have pynetdicom work as this receiver needs while the block runs; it has these settings for the process only."""
    former = (tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET, _config.UNRESTRICTED_STORAGE_SERVICE)
    # Data sets go to disk while they arrive, undecoded: memory stays flat for an instance of any size.
    tempfile.tempdir = str(incoming)
    _config.STORE_RECV_CHUNKED_DATASET = True
    # Every storage SOP class, retired and private ones too, in the first transfer syntax that is proposed.
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    try:
        yield
    finally:
        tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET, _config.UNRESTRICTED_STORAGE_SERVICE = former


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
        ]

    def wait(self, patience_s: float) -> None:
        """Wait until the end of every association is in the index."""
        deadline = time.monotonic() + patience_s
        while self._open and time.monotonic() < deadline:
            time.sleep(0.01)

    def _association(self, event: evt.Event) -> _Association:
        """Return the association of an event; it becomes known with its first instance."""
        known = self._open.get(id(event.assoc))
        if known is None:
            requestor = event.assoc.requestor
            known = _Association(uuid.uuid4().hex, str(requestor.ae_title).strip(), event.assoc)
            self._open[id(event.assoc)] = known
            called_ae = requestor.primitive.called_ae_title.strip() if requestor.primitive else ""
            self._index.add(Opened(known.id, known.calling_ae, time.time(), called_ae))
            threading.Thread(target=self._await_end, args=(known,), name="end", daemon=True).start()
        return known

    def _store(self, event: evt.Event) -> int:
        reached("instance-arrived")
        arrived = Path(event.dataset_path)
        association = self._association(event)
        try:
            if self._spool.is_full or self._index.waiting > MOST_WAITING:
                raise OSError("free space is below receive.reserve_mb, or the ledger lags behind")
            kept = self._spool.keep(arrived, expected_sop_class=str(event.request.AffectedSOPClassUID))
        except NotAnInstanceError as error:
            return self._refuse(association, arrived, error.status, str(error))
        except (OSError, MemoryError) as error:
            # The sender keeps the instance and tries again: PS3.4 B.2.3, Refused: Out of Resources.
            reason = getattr(error, "strerror", None) or str(error) or name_of(error)
            return self._refuse(association, arrived, OUT_OF_RESOURCES, reason)
        except Exception as error:
            return self._refuse(association, arrived, CANNOT_UNDERSTAND, name_of(error))
        association.studies.add(kept.instance.study_uid)
        # Also when it came before: its row may have been lost with the process that was to write it.
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

    def _await_end(self, association: _Association) -> None:
        """Record the end of an association; its thread may outlive the one that reads its socket, if that died."""
        thread = association.thread
        while thread.is_alive() and thread.dul.is_alive():
            thread.join(0.5)
        # The folder before the release: a study may be sealed from here on.
        while not self._synced(association):
            time.sleep(1.0)
        reached("association-released")
        self._index.add(Released(association.id, time.time()))
        del self._open[id(thread)]
        self._sweep()

    def _synced(self, association: _Association) -> bool:
        try:
            self._spool.sync(tuple(association.studies))
        except OSError as error:
            say(IndexUnavailable(len(association.studies), error.strerror or name_of(error)))
            return False
        return True

    def _sweep(self) -> None:
        """Remove what broken associations left half received."""
        for file in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > ABANDONED_S:
                    file.unlink()
