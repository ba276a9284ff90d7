"""What the operator's commands show: `status`, `explain`, `retry`."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from dicom_node.engine.app import Queues
from dicom_node.ledger import deliveries, generations, lifecycle, probes, views
from dicom_node.ledger.database import writing
from dicom_node.lifecycle import known_study
from dicom_node.node import Node
from dicom_node.quirks import quirks
from dicom_node.study import KEY_LENGTH, study_key
from inference.types import ReferenceCase
from structured_reports.text import case_line

Row = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """Tables for people, and the same for programs."""

    tables: Sequence[Table | str]
    data: Any


def show(report: Report, console: Console, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        console.print_json(json.dumps(report.data))
        return
    for table in report.tables:
        console.print(table, soft_wrap=isinstance(table, str), highlight=False)


def studies(node: Node, limit: int) -> Report:
    """Return the newest studies, and what waits."""
    with node.database().connect() as connection:
        rows = views.newest_studies(connection, limit)
        waiting = views.waiting(connection)
        conflicts, untold = views.conflicts(connection), views.untold(connection)
        faults = views.model_faults(connection)
        probed = probes.newest(connection)
    # Whole however little room there is: it is what the other commands take.
    key = Column("study", min_width=KEY_LENGTH, no_wrap=True)
    table = Table(key, "received", "instances", "state", "result", "delivered", title="Newest studies")
    for row in rows:
        latest = row["latest"]
        table.add_row(
            study_key(row["study_uid"]),
            _clock(row["stored_at"]),
            str(row["instances"]) + (f", [red]{row['conflicts']} not read[/]" if row["conflicts"] else ""),
            _state(latest),
            _result(latest),
            _delivered(latest),
        )
    line = ", ".join(f"{count} {what}" for what, count in waiting.items() if count) or "nothing waits"
    broken = [f"[red]the model {escape(name)} cannot be used[/]: {escape(fault)}" for name, fault in faults.items()]
    data: Row = {"studies": rows, "waiting": waiting, "model_faults": dict(faults), "probes": probed}
    data |= {"conflicts": conflicts, "untold": untold}
    return Report(
        [
            table,
            line,
            *_unread(conflicts),
            *_untold(untold),
            *broken,
            *(line for row in probed for line in _probe(row)),
        ],
        data,
    )


def _unread(conflicts: int) -> list[str]:
    some = "1 instance has" if conflicts == 1 else f"{conflicts} instances have"
    return [f"[red]{some} the UID of another with other bytes: kept, never read[/]"] if conflicts else []


def _untold(studies: int) -> list[str]:
    some = "1 study has" if studies == 1 else f"{studies} studies have"
    return [f"{some} no result object: neither PACS nor EHR was told"] if studies else []


def timings(node: Node) -> Report:
    """Return where the time goes, per stage, over the last hundred generations."""
    with node.database().connect() as connection:
        stages = views.stage_seconds(connection)
    table = Table("stage", "n", "median", "95 %", "longest", title="Seconds per stage")
    data = {}
    for stage, seconds in stages.items():
        if not seconds:
            continue
        data[stage] = {
            "n": len(seconds),
            "median": statistics.median(seconds),
            "p95": _percentile(seconds, 0.95),
            "max": max(seconds),
        }
        values = (f"{data[stage][key]:.3f}" for key in ("median", "p95", "max"))
        table.add_row(escape(stage), str(len(seconds)), *values)
    return Report(
        [
            table,
            "decode and infer begin when an instance arrives; total: end of quiet time to last acceptance",
        ],
        data,
    )


def explain(node: Node, wanted: str) -> Report:
    """Return all that happened to a study.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived.
    """
    with node.database().connect() as connection:
        uid = known_study(connection, wanted)
        instances = views.instances_of(connection, uid)
        made = views.generations_of(connection, uid)
    lines = [f"[bold]study {study_key(uid)}[/]", *_arrivals(instances)]
    for generation in made:
        lines += _generation(generation)
    return Report(lines, {"study_uid": uid, "instances": instances, "generations": made})


def retry(node: Node, wanted: str | None) -> tuple[int, int]:
    """Queue again, now, what is not delivered, and let what the node failed to read be read anew.

    Returns
    -------
    deliveries, studies
        How many of each.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived.
    """
    database = node.database()
    queues = Queues(database)
    with writing(database) as connection:
        uid = known_study(connection, wanted) if wanted else None
        found = deliveries.undelivered(connection, uid)
        configured = [one for one in found if one.destination in node.addressees]
        for one in configured:
            queues.deliver(connection, one.id, one.destination, chain=deliveries.reopen(connection, one.id))
        reopened = lifecycle.reopen_failed(connection, uid, time.time())
        for key in reopened:
            queues.read(connection, key)
        return len(configured), len(reopened)


def _arrivals(instances: Sequence[Row]) -> list[str]:
    lines = []
    for sender in dict.fromkeys(row["calling_ae"] for row in instances):
        sent = [row for row in instances if row["calling_ae"] == sender]
        modalities = ", ".join(sorted({row["modality"] or "no modality" for row in sent}))
        source = escape(sender or "a scan of the spool")
        lines.append(f"{_clock(sent[0]['stored_at'])}  {len(sent)} instances ({escape(modalities)}) from {source}")
    for row in instances:
        if row["own"]:
            lines.append(f"{_clock(row['stored_at'])}  a result of this node came back; kept, not read")
        if row["conflict"]:
            lines.append(f"{_clock(row['stored_at'])}  [red]an instance has the UID of another with other bytes[/]")
            lines.append("          both are kept, the first is read")
        if row["released_at"] is None:
            lines.append(f"{_clock(row['stored_at'])}  its association is still open: the study is not complete")
    return list(dict.fromkeys(lines))


def _generation(row: Row) -> list[str]:
    lines = [f"{_clock(row['sealed_at'])}  {_why(row)}: generation {row['number']}"]
    if row["recorded_at"]:
        lines.append(f"{_clock(row['recorded_at'])}  {_state(row)}: {_result(row)}")
        for one in row["readings"]:
            lines += _reading(one)
        lines += [_object(one) for one in row["results"] if one["alternative_to"] != one["uid"]]
        if row["state"] == generations.REFUSED and not row["results"]:
            lines.append("          there is no result object: neither PACS nor EHR was told")
    elif row["waits_for"]:
        lines.append(f"          [red]waits[/]: {escape(row['waits_for'])}")
    elif row["state"] == generations.WITHHELD:
        lines.append(f"          [red]withheld[/]: {escape(row['reason'])}")
    elif row["attempts"]:
        lines.append(f"          being read, attempt {row['attempts']}")
    lines += [line for one in row["deliveries"] for line in _delivery(one)]
    lines += [f"          {one['seconds']:8.3f} s  {escape(one['stage'])}" for one in row["timings"]]
    return lines


def _why(row: Row) -> str:
    """Return why there is a generation."""
    note = f" ({escape(row['note'])})" if row["note"] else ""
    if row["cause"] == lifecycle.WITHDRAWAL:
        what = escape(row["withdrawn_model"]) or "all results"
        return f"an operator withdrew {what}{note}"
    if row["cause"] == lifecycle.DEADLINE:
        return "to be read after its deadline"
    return f"an operator had it read again{note}" if row["cause"] == lifecycle.RERUN else "complete"


def _reading(row: Row) -> list[str]:
    """Return what a model said, how far from what it knows the film is, and what may be read about it."""
    model = escape(row["model"])
    if row["reason"]:
        return [f"          {model} gave no result: {escape(row['reason'])}"]
    lines = [f"          {model}: {_scores(row)}"]
    if familiarity := row["familiarity"]:
        distance = familiarity["distance"]
        lines.append(f"            distance {distance:.2f} from the films that it knows; it accepts up to 1.00")
        lines += [f"            like {escape(case_line(ReferenceCase(**one)))}" for one in familiarity["nearest"]]
    return lines + [f"            see {escape(one)}" for one in row["literature"] or ()]


def _object(row: Row) -> str:
    """Return a result object; another encoding is the same object, another form of a report is one of its own."""
    form = f" ({row['form']})" if row["form"] else ""
    return f"          {row['kind'] + form:<9} {row['uid']}  {escape(row['model'])}{_taken_back(row)}"


def _taken_back(row: Row) -> str:
    return "  [red]withdrawn[/]" if row["withdrawn_by"] else ""


def _probe(row: Row) -> list[str]:
    """Return what a destination would be sent, as it was when somebody probed it, and what is odd about it."""
    sends = row["found"]["sends"]
    told = "; ".join(f"{kind} as {form}" if form else f"[red]no {kind}[/]" for kind, form in sends.items())
    when = datetime.fromtimestamp(row["probed_at"]).strftime("%Y-%m-%d %H:%M")
    name = escape(row["destination"])
    return [f"{name} takes, probed {when}: {told}", *(f"  {name}: {escape(one)}" for one in quirks(row["found"]))]


def _delivery(row: Row) -> list[str]:
    if row["state"] == deliveries.DELIVERED:
        proof = escape("; ".join(map(_taken, row["proof"] or ())))
        has_it = f"{escape(row['destination'])} has it ({proof or 'it takes none of these objects'})"
        return [f"{_clock(row['accepted_at'])}  {has_it}", *_in_place_of(row["proof"] or ())]
    return [_undelivered(row), *_there(row), *_in_place_of(row["proof"] or ())]


def _there(row: Row) -> list[str]:
    """Return what came there beside what did not."""
    there = [one for one in row["proof"] or () if one["uid"]]
    return [f"            it has {escape('; '.join(map(_taken, there)))}"] if there else []


def _taken(proof: Row) -> str:
    form = f" ({proof['form']})" if proof.get("form") else ""
    return f"{proof['kind']}{form}: {proof['proof']}"


def _in_place_of(proof: Sequence[Row]) -> list[str]:
    """Return why a form was not sent that would have come first, and what else a person may want to look at."""
    words = [reason for one in proof for reason in (*one.get("refused", ()), one.get("warning")) if reason]
    return [f"            since {escape(reason)}" for reason in dict.fromkeys(words)]


def _undelivered(row: Row) -> str:
    name = escape(row["destination"])
    if row["state"] == deliveries.SUPERSEDED:
        return f"          {name}: a later result came first"
    if row["state"] == deliveries.REJECTED:
        what = "a part" if _there(row) else "it"
        return f"          [red]{name} refused {what}[/]: {escape(row['error'] or '')}"
    when = f", again at {_clock(row['next_at'])}" if row["next_at"] else ""
    return f"          {name} waits, {row['attempts']} attempts{when}: {escape(row['error'] or 'queued')}"


def _state(row: Row | None) -> str:
    if row is None:
        return "arriving"
    if row["waits_for"]:
        return "held up" if row["waits_for"].startswith(generations.NODE_FAULT) else "waiting for a model"
    return "being read" if row["state"] == "sealed" else str(row["state"])


def _result(row: Row | None) -> str:
    if row is None:
        return ""
    if row["waits_for"]:
        return escape(row["waits_for"])
    if row["reason"]:
        is_withdrawn = row["reason_code"] == generations.WITHDRAWN or row["state"] == generations.WITHDRAWN
        return escape(row["reason"]) if is_withdrawn else f"not performed: {escape(row['reason'])}"
    read = [one for one in row["readings"] if one["scores"]]
    # Who has one model knows which it is.
    return "; ".join((f"{escape(one['model'])}: " if len(read) > 1 else "") + _scores(one) for one in read)


def _scores(reading: Row) -> str:
    return ", ".join(
        f"{name} {100 * one['score']:.0f} % ({'above' if one['above'] else 'below'} {100 * one['threshold']:.0f} %)"
        for name, one in reading["scores"].items()
    )


def _delivered(row: Row | None) -> str:
    if row is None:
        return ""
    return ", ".join(map(_delivered_to, row["deliveries"])) or "-"


def _delivered_to(row: Row) -> str:
    # No UID: nothing was sent in place of that object
    missing = [one["kind"] for one in row["proof"] or () if not one["uid"]]
    return f"{escape(row['destination'])} {row['state']}" + (f" without {', '.join(missing)}" if missing else "")


def _clock(seconds: float | None) -> str:
    if not seconds:
        return "-"
    at = datetime.fromtimestamp(seconds)
    return at.strftime("%H:%M:%S" if at.date() == datetime.now().date() else "%Y-%m-%d %H:%M:%S")


def _percentile(values: Sequence[float], fraction: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)]
