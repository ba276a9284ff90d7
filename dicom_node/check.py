"""`dicom-node check`: tries everything that the node needs, and says all that is wrong at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from dicom_node.deliver import DeliveryError, Destination
from dicom_node.durable import durable_folder, durable_write
from dicom_node.errors import NodeError, StartError
from dicom_node.ledger.database import open_database
from dicom_node.node import Node
from dicom_node.research import Route
from dicom_node.settings import ModelSettings, Settings
from dicom_node.supervise import require_free_port
from inference.errors import ModelError

Check = Callable[[], str]


def run_checks(settings: Settings, console: Console) -> bool:
    """Print one line a check; returns True where all passed."""
    passed = True
    for name, check in checks(settings):
        try:
            _print(console, "[green]ok[/]", f"{name}: {check()}")
        except (NodeError, DeliveryError) as error:
            passed = False
            _print(console, "[red]fault[/]", f"{name}: {error}")
    return passed


def _print(console: Console, word: str, text: str) -> None:
    console.print(f"{word:<12} {escape(text)}", highlight=False, soft_wrap=True)


def checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    """Yield name and check, in the order in which an administrator would mend them."""
    node = Node(settings)
    yield (
        "configuration",
        lambda: f"AE title {settings.node.ae_title}, {len(settings.destinations)} destination(s)",
    )
    yield "data", lambda: _data(settings.node.data_dir, settings.receive.reserve_mb)
    yield "database", lambda: _database(settings.node.database)
    yield "port", lambda: _port(settings)
    for device in settings.work.devices:
        for one in settings.models:
            place = f"model {one.folder.name} on {one.device or device}"
            yield place, lambda one=one, device=device: _model(node, one, device)  # type: ignore[misc]
    for destination in settings.destinations:
        yield f"destination {destination.name}", lambda one=destination: _destination(one)  # type: ignore[misc]
    for route in settings.research:
        yield f"research {route.name}", lambda one=route: Route.of(one, settings).check()  # type: ignore[misc]


def _data(data_dir: Path, reserve_mb: int) -> str:
    try:
        durable_folder(data_dir)
        probe = data_dir / ".probe"
        durable_write(probe, b"probe")
        probe.unlink()
        free_mb = shutil.disk_usage(data_dir).free >> 20
    except OSError as error:
        raise StartError(f"{data_dir}: {error.strerror}") from error
    if free_mb < reserve_mb:
        raise StartError(
            f"{data_dir}: {free_mb} MB free, receive.reserve_mb keeps {reserve_mb}: nothing would be taken"
        )
    return f"{data_dir}, {free_mb >> 10} GB free"


def _database(url: str) -> str:
    database = open_database(url)
    try:
        with database.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except Exception as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise StartError(f"{database.url.render_as_string()}: {cause}") from error
    return database.url.render_as_string()


def _port(settings: Settings) -> str:
    receive = settings.receive
    try:
        require_free_port(receive.host, receive.port)
    except StartError:
        if Node(settings).is_serving():
            return f"{receive.host}:{receive.port} is answered by this node"
        raise
    return f"{receive.host}:{receive.port} is free"


def _model(node: Node, settings: ModelSettings, device: str) -> str:
    model = node.model(settings, device)
    named = f"{model.card.name} {model.card.version}, sha256 {model.card.digest[:12]}…"
    if model.golden is None:
        return f"{named}; warning: its card names no golden film, so a faulty device goes unnoticed"
    try:
        fault = model.golden_fault()
    except ModelError as error:
        raise StartError(f"{named}: golden film: {error}") from error
    if fault:
        raise StartError(f"{named}: {fault}")
    return f"{named}, the golden film is answered as it must"


def _destination(destination: Destination) -> str:
    return destination.check()
