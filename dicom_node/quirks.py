"""What the newest test of a destination showed beside what it negotiates, and what the sender makes of that.

A probe proposes; some peers accept a SOP class in the negotiation and refuse each object of it. A form that the test
object of a kind showed as refused is tried last. It is never left out: a finding that is out of date costs an attempt,
not a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydicom.uid import UID, ImplicitVRLittleEndian

from dicom_node.deliver import Acceptance, Destination
from dicom_node.deliver.c_store import StorageSCU
from dicom_node.deliver.probe import NOT_TAKEN, WARNED
from dicom_node.ledger import probes
from structured_reports.port import ResultObject

Row = dict[str, Any]


def deliver(database: sa.Engine, destination: Destination, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
    """Deliver results; to a PACS so that what its newest test showed as refused is tried last.

    Raises
    ------
    DeliveryError
        As `Destination.deliver`.
    """
    if not results:
        return ()
    if not isinstance(destination, StorageSCU):
        return destination.deliver(results)
    with database.connect() as connection:
        last = refused_by(probes.of(connection, destination.name))
    return destination.deliver(results, last)


def refused_by(found: Row | None) -> Mapping[tuple[str, str], str]:
    """Return kind and form to the reason for each object that the newest test showed as refused."""
    test = (found or {}).get("test")
    if not test:
        return {}
    refused = [one for one in test["tried"] if one["outcome"] in NOT_TAKEN]
    reason = f"refused at the test of {day(test['at'])}"
    return {(one["kind"], one["form"]): f"{reason}: {one['said']}" for one in refused}


def quirks(found: Row) -> Iterator[str]:
    """Yield, in words, what a person may not expect of a destination."""
    taken = [syntaxes for syntaxes in found["takes"].values() if syntaxes]
    if taken and all(list(syntaxes) == [ImplicitVRLittleEndian] for syntaxes in taken):
        yield f"takes {UID(ImplicitVRLittleEndian).name} only"
    test = found.get("test") or {"tried": ()}
    for one in test["tried"]:
        if one["outcome"] == WARNED:
            yield f"{named(one)}, test of {day(test['at'])}: {one['remark']}"
        elif one["outcome"] in NOT_TAKEN:
            yield f"{named(one)}: negotiated and then refused at the test of {day(test['at'])}: {one['said']}"


def named(tried: Row) -> str:
    """Return kind and form of a test object."""
    return f"{tried['kind']} ({tried['form']})" if tried["form"] else str(tried["kind"])


def day(seconds: float) -> str:
    """Return a day."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d")
