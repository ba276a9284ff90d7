"""Builds everything from the settings, once, and hands it on: nothing else reads them."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from dicom_node.deadline import Deadline
from dicom_node.deliver import Destination
from dicom_node.deliver_stage import DeliverStage
from dicom_node.durable import durable_write
from dicom_node.engine.app import READ, Queues, Worker, delivery_queue, migrate_engine, working
from dicom_node.engine.executors import Executors
from dicom_node.engine.revival import Revival
from dicom_node.errors import StartError
from dicom_node.exporting import exporting_process
from dicom_node.films import Films
from dicom_node.ledger.arrivals import Arrivals, close_associations
from dicom_node.ledger.database import locked, migrate, open_database
from dicom_node.ledger.turns import Turns
from dicom_node.loading import fault_of, loaded, suspects_of
from dicom_node.observe.events import Started, Stopped, say
from dicom_node.opening import MOST_SHARED, Openings
from dicom_node.pipeline import Pipeline
from dicom_node.preprocess.decoders import Decoders
from dicom_node.read_stage import ReadStage
from dicom_node.receive.index import Index
from dicom_node.receive.scp import StorageSCP
from dicom_node.rehearsal import rehearse
from dicom_node.research import Courier, Route
from dicom_node.results import Results
from dicom_node.roster import Roster
from dicom_node.settings import ModelSettings, Settings
from dicom_node.slot import Reader
from dicom_node.spool.spool import Spool
from dicom_node.volumes import Volumes
from dicom_node.watch import Watch
from inference.models import Model, VolumeModel
from inference.serving.service import service_of
from structured_reports.port import Equipment
from structured_reports.provenance import MARKER_MANUFACTURER, is_own
from structured_reports.uids import derived_uid

# Deliveries of one destination that run at once: an association or a connection each.
_DELIVERIES_AT_ONCE = 2


@dataclass(frozen=True)
class Node:
    """Everything that a role is made of."""

    settings: Settings

    @property
    def data_dir(self) -> Path:
        """Where the node keeps what it must not lose."""
        return self.settings.node.data_dir

    @property
    def spool(self) -> Spool:
        """Received instances."""
        return Spool(self.data_dir / "spool", self.settings.receive.reserve_mb << 20, is_own)

    @property
    def results(self) -> Results:
        """Result objects."""
        return Results(self.data_dir / "objects")

    @property
    def destinations(self) -> dict[str, Destination]:
        """Where results go, by name."""
        return {destination.name: destination for destination in self.settings.destinations}

    @property
    def addressees(self) -> frozenset[str]:
        """Names of all that is delivered to: destinations and routes for research."""
        return frozenset((*self.destinations, *(route.name for route in self.settings.research)))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes for research, with their keys.

        Raises
        ------
        SettingsError
            A key is missing or weak, or the rules for pixels are wrong.
        StartError
            The vault cannot be used.
        """
        self._make_data_dir()
        return tuple(Route.of(one, self.settings) for one in self.settings.research)

    @contextmanager
    def couriers(self) -> Iterator[dict[str, Courier]]:
        """Yield what takes copies along each route, with a process of its own for foreign files."""
        routes = self.routes()
        if not routes:
            yield {}
            return
        with exporting_process() as decoders:
            yield {route.name: Courier(route, self.spool, decoders) for route in routes}

    def database(self, *, synchronous: str = "FULL") -> sa.Engine:
        """Return the ledger's database, its folder made."""
        self._make_data_dir()
        return open_database(self.settings.node.database, synchronous=synchronous)

    def _make_data_dir(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"node.data_dir: {self.data_dir}: {error.strerror}") from error

    def migrate(self) -> None:
        """Bring the tables of ledger and engine up to date; once, before any role starts."""
        database = self.database()
        self.identity()
        migrate(database)
        migrate_engine(database)
        database.dispose()

    def close_associations(self) -> None:
        """Release what any receiver of this installation held open; before the first of them starts."""
        database = self.database()
        close_associations(database, self.identity())
        database.dispose()

    def require_data(self) -> None:
        """Raise where no node has ever run with this data directory.

        Raises
        ------
        StartError
            There is no ledger: a wrong `--data-dir` or `--config`.
        """
        if not (self.data_dir / "node-id").exists():
            raise StartError(f"node.data_dir: {self.data_dir}: no node has run here yet")

    def is_serving(self) -> bool:
        """Return True where a receiver of this data directory runs."""
        if not (self.data_dir / "lock" / "receive-0").exists():
            return False
        try:
            with locked(self.data_dir / "lock" / "receive-0", "receiver 0"):
                return False
        except StartError:
            return True

    def require_alone(self) -> None:
        """Raise where a node runs with this data directory.

        Raises
        ------
        StartError
            Its roles would fight the running ones for their locks.
        """
        if self.is_serving():
            raise StartError(f"node.data_dir: {self.data_dir}: a node is already running with it")

    def identity(self) -> str:
        """Return the name that this installation gave itself; it outlives restarts and upgrades."""
        identity = self.data_dir / "node-id"
        if not identity.exists():
            durable_write(identity, uuid.uuid4().hex.encode())
        return identity.read_text().strip()

    def equipment(self, serial: str) -> Equipment:
        """Return the node as the maker of its results."""
        return Equipment(
            manufacturer=MARKER_MANUFACTURER,
            model_name="dicom-node",
            software_version=version("dicom-node"),
            serial_number=serial[:16],
            station_name=self.settings.node.ae_title,
            device_uid=derived_uid("device", serial),
        )

    @contextmanager
    def pipeline(self, device: str, serial: str) -> Iterator[Pipeline]:
        """Load the models and start the decoders; all end with the block.

        Raises
        ------
        StartError
            No model can be loaded: the node does not run without one.
        """
        decoders = Decoders(self.settings.work.decoders, preload=("dicom_node.opening",))
        decoders.warm()
        equipment = self.equipment(serial)
        openings = Openings(decoders, MOST_SHARED if len(self.settings.models) > 1 else 0)
        roster = Roster(self.settings.models, lambda one: self._reader(one, device, openings, equipment))
        try:
            roster.require_any()
            yield Pipeline(roster, equipment, self.settings, device, self.settings.forms)
        finally:
            roster.close()
            decoders.close()

    def model(self, settings: ModelSettings, device: str) -> Model | VolumeModel:
        """Load a model, its digest checked.

        Parameters
        ----------
        device
            Of the worker, for a model that has none of its own.

        Raises
        ------
        StartError
            It cannot be loaded.
        """
        try:
            return loaded(settings.folder, self.data_dir, settings.device or device, self.settings.work.threads)
        except StartError:
            raise
        except Exception as error:  # whatever is wrong with one model is no fault of another
            raise StartError(f"{settings.folder}: {fault_of(error)}") from error

    def require_models(self, device: str) -> Sequence[str]:
        """Load every model and let it go again; returns the faults of those that cannot be loaded.

        Raises
        ------
        StartError
            There is none that can.
        """
        faults = []
        for number, settings in enumerate(self.settings.models):
            try:
                self.model(settings, device)
            except StartError as error:
                faults.append(f"models.{number}: {error}")
        if len(faults) == len(self.settings.models):
            raise StartError("\n".join(faults))
        return faults

    def _reader(self, settings: ModelSettings, device: str, openings: Openings, equipment: Equipment) -> Reader:
        model = self.model(settings, device)
        suspects = suspects_of(self.data_dir, model.card.digest)
        # A service hands on what it is given: to it a volume is a film with one dimension more.
        service = service_of(cast(Model, model), settings.device or device, suspects.end_process)
        try:
            rehearse(service, equipment, self.settings.report.notice, settings.objects)
        except Exception:
            service.close()
            raise
        threads = self.settings.work.decoders + service.at_once
        reader: Reader = (
            Volumes(service, openings, suspects, threads, points=settings.heatmap)
            if isinstance(model, VolumeModel)
            else Films(service, openings, suspects, threads)
        )
        reader.fitness.look()
        return reader


@contextmanager
def receiving(node: Node, slot: int, listener: socket.socket | None = None) -> Iterator[int]:
    """Take studies while the block runs; yields the port."""
    settings, name = node.settings.receive, f"{node.identity()}-receive-{slot}"
    with ExitStack() as stack:
        stack.enter_context(locked(node.data_dir / "lock" / f"receive-{slot}", f"receiver {slot}"))
        database = node.database(synchronous="NORMAL")
        stack.callback(database.dispose)
        arrivals = Arrivals(database, name, settings.quiet_for)
        arrivals.close_associations()
        arrivals.adopt(node.spool.unknown(arrivals.known))
        index = Index(arrivals)
        stack.callback(index.close)
        scp = StorageSCP(
            ae_title=node.settings.node.ae_title,
            host=settings.host,
            port=settings.port,
            maximum_associations=settings.maximum_associations,
            require_called_ae=settings.require_called_ae,
            calling_ae_titles=settings.calling_ae_titles,
            network_timeout_s=settings.network_timeout_s,
            listener=listener,
        )
        port = stack.enter_context(scp.serving(node.spool, index, node.spool.incoming(str(slot))))
        say(Started("receive", f"{node.settings.node.ae_title} port {port}"))
        yield port
    say(Stopped("receive"))


@contextmanager
def reading(node: Node, slot: int, device: str) -> Iterator[None]:
    """Read studies and deliver results while the block runs."""
    # The identity too: two hosts of one name on one database would run each other's work.
    name = f"{node.settings.node.name}-{node.identity()[:8]}-work-{slot}"
    with ExitStack() as stack:
        stack.enter_context(locked(node.data_dir / "lock" / f"work-{slot}", f"worker {slot}"))
        database = node.database()
        stack.callback(database.dispose)
        queues = Queues(database)
        pipeline = stack.enter_context(node.pipeline(device, node.identity()))
        couriers = stack.enter_context(node.couriers())
        read = ReadStage(database, node.spool, node.results, pipeline, queues, node.destinations, tuple(couriers))
        deliver = DeliverStage(database, node.results, node.destinations, Turns(database), couriers)
        worker = _worker(node, database, read, deliver, slot)
        stack.enter_context(working(database, name, worker, queues))
        executors = Executors(database, queues)
        revival = Revival(database, queues, node.addressees)
        watch = Watch(database, node.spool, pipeline.roster, queues, executors, revival, name, seals=slot == 0)
        stack.enter_context(watch.running())
        report = node.settings.report
        if slot == 0 and report.not_performed and report.not_performed_after_s:
            stack.enter_context(Deadline(database, read, report.not_performed_after_s).watched())
        say(Started("work", f"{device}, models {', '.join(slot.name for slot in pipeline.roster.slots)}"))
        yield
    say(Stopped("work"))


def _worker(node: Node, database: sa.Engine, read: ReadStage, deliver: DeliverStage, slot: int) -> Worker:
    concurrency = {READ: node.settings.work.studies_at_once}
    # On SQLite two processes could exceed a destination's limit between count and claim.
    if slot == 0 or database.dialect.name != "sqlite":
        concurrency |= {delivery_queue(name): _DELIVERIES_AT_ONCE for name in node.addressees}
    return Worker(
        read=read,
        deliver=deliver,
        concurrency=concurrency,
        poll_s=node.settings.work.poll_s,
    )
