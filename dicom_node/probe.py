"""`dicom-node probe`: learns what each PACS takes, shows it, and keeps it for `status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydicom.uid import UID
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dicom_node.deliver import DeliveryError
from dicom_node.deliver.c_store import StorageSCU
from dicom_node.deliver.probe import SYNTAXES, Capabilities
from dicom_node.errors import SettingsError
from dicom_node.ledger import probes
from dicom_node.ledger.database import migrate, writing
from dicom_node.node import Node
from dicom_node.quirks import named, quirks, refused_by
from dicom_node.trial import PATIENT_NAME, trial_objects
from structured_reports.port import ResultObject


def run_probes(node: Node, name: str | None, console: Console, *, send_test: bool) -> bool:
    """Probe one PACS or all, print what each takes, and keep it; returns True where all answered.

    Raises
    ------
    SettingsError
        No destination of that name is a PACS.
    """
    database = node.database()
    migrate(database)  # a node may be probed before it has ever run
    node.identity()  # and `status` tells of nodes that have one
    answered = True
    for destination in _chosen(node, name):
        with database.connect() as connection:
            before = probes.of(connection, destination.name)
        try:
            found = destination.probe(_trial(node, destination) if send_test else (), refused_by(before))
        except DeliveryError as error:
            answered = False
            console.print(f"[red]fault[/]  {escape(str(error))}", highlight=False, soft_wrap=True)
            continue
        row = as_row(found, time.time(), before)
        with writing(database) as connection:
            probes.keep(connection, destination.name, time.time(), row)
        _show(destination.name, found, console)
        for line in quirks(row):
            console.print(f"[yellow]{escape(line)}[/]", highlight=False, soft_wrap=True)
    database.dispose()
    return answered


def as_row(found: Capabilities, at: float, before: dict[str, Any] | None) -> dict[str, Any]:
    """Return what was found as plain values; what an earlier test showed stands until the next one."""
    row = asdict(found)
    tried = row.pop("tried")
    return row | {"test": {"at": at, "tried": tried} if tried else (before or {}).get("test")}


def _trial(node: Node, destination: StorageSCU) -> Sequence[ResultObject]:
    """Return a test object of every kind that some model makes."""
    models = node.settings.models
    kinds = {kind for model in models for kind in model.objects}
    now, equipment = datetime.now().astimezone(), node.equipment(node.identity())
    points = any(model.heatmap for model in models)
    return trial_objects(equipment, destination.name, kinds, destination.forms, now, points=points)


def _chosen(node: Node, name: str | None) -> Sequence[StorageSCU]:
    found = [one for one in node.destinations.values() if isinstance(one, StorageSCU) and name in (None, one.name)]
    if not found:
        wanted = "no destination" if name is None else f"destination {name!r}: none of that name"
        raise SettingsError(f"{wanted} is of kind c-store; only a PACS is probed")
    return found


def _show(name: str, found: Capabilities, console: Console) -> None:
    limit = f"{found.maximum_length} bytes a PDU" if found.maximum_length else "PDUs of any length"
    console.print(_table(f"{name} ({found.implementation}, {limit})", found))
    for line in _lines(name, found):
        console.print(line, highlight=False, soft_wrap=True)


def _table(title: str, found: Capabilities) -> Table:
    table = Table("SOP class", *(UID(syntax).name for syntax in SYNTAXES), title=escape(title))
    for uid, taken in found.takes.items():
        table.add_row(UID(uid).name, *("yes" if syntax in taken else "-" for syntax in SYNTAXES))
    return table


def _lines(name: str, found: Capabilities) -> Iterator[str]:
    for kind, form in found.sends.items():
        yield f"{kind} is sent as {form}" if form else f"[red]{kind} is not taken in any form[/]"
    for one in found.tried:
        yield f"test patient {PATIENT_NAME}: {named(asdict(one))}: {escape(one.said)}"
    if found.tried:
        yield f"[yellow]delete the test patient {PATIENT_NAME} at {escape(name)}[/]"
