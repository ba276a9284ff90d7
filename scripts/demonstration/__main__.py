"""`scripts/demo`: the whole node at work, checked from outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import node as demo_node
import typer
from orthanc import OrthancPacs, orthanc_pacs
from page import table, write_page
from proof import Outcome, outcome
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from standins import StandInFhir, StandInPacs, stand_in_fhir, stand_in_pacs
from studies import DemoStudy, demo_studies

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent.parent / "demo-output"
PATIENCE_S = 120.0
# Longer than the quiet time and a whole reading: a second result would be there by then.
AGAIN_S = 3.0

# A log has no width of its own: the table stays whole there.
console = Console(width=None if sys.stdout.isatty() else 140)


class Pacs(StrEnum):
    """What the studies come from and the results go to."""

    STANDIN = "standin"
    ORTHANC = "orthanc"


@dataclass(frozen=True)
class Peers:
    """The node and what surrounds it."""

    node: demo_node.RunningNode
    pacs: StandInPacs | OrthancPacs
    fhir: StandInFhir

    def send(self, study: DemoStudy) -> float:
        """Send a study; returns the time of the last C-STORE response."""
        if isinstance(self.pacs, OrthancPacs):
            return self._send_by_orthanc(self.pacs, study)
        return self._send_by_modality(study)

    def reports(self, study: DemoStudy) -> list[str]:
        """Return the conclusions of the DiagnosticReports of a study."""
        studies = self.fhir.find("ImagingStudy", "identifier", f"urn:dicom:uid|urn:oid:{study.uid}")
        resources = self.fhir.resources.values()
        return [
            str(one.get("conclusion", ""))
            for one in resources
            if one["resourceType"] == "DiagnosticReport"
            and any(link.get("reference") in studies for link in one.get("imagingStudy", []))
        ]

    def _send_by_orthanc(self, pacs: OrthancPacs, study: DemoStudy) -> float:
        pacs.upload(study.file)
        pacs.send(study.uid, "node")
        return time.time()

    def _send_by_modality(self, study: DemoStudy) -> float:
        command = [
            sys.executable,
            str(HERE / "sender.py"),
            str(self.node.port),
            demo_node.AE_TITLE,
            str(study.file),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"{study.title}: the node did not take it\n{done.stderr}")
        return float(done.stdout)


def main(
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Leave the node up; Ctrl-C ends it.")] = False,
    pacs: Annotated[Pacs, typer.Option(help="standin, or an Orthanc that is installed here.")] = Pacs.STANDIN,
) -> None:
    """Send real studies to a node, wait for its results, and check them.

    Everything that it makes lies in demo-output/ afterwards. Exit status 0: every expected result arrived and
    was checked.
    """
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    studies = demo_studies(OUTPUT / "studies")
    with ExitStack() as stack:
        peers = _start(stack, pacs)
        outcomes = _run(peers, studies)
        console.print(table(outcomes))
        page = _keep(peers, outcomes)
        failed = [one for one in outcomes if one.faults]
        _tell(page, failed)
        if keep_running:
            _wait_for_interrupt(peers)
    raise typer.Exit(1 if failed else 0)


def _start(stack: ExitStack, kind: Pacs) -> Peers:
    fhir = stack.enter_context(stand_in_fhir())
    port, pacs_port = demo_node.free_port(), demo_node.free_port()
    pacs: StandInPacs | OrthancPacs
    if kind is Pacs.ORTHANC:
        known = (demo_node.AE_TITLE, port)
        pacs = stack.enter_context(orthanc_pacs(OUTPUT, known, pacs_port, demo_node.free_port()))
    else:
        pacs = stack.enter_context(stand_in_pacs(OUTPUT / "pacs"))
    with console.status("starting the node"):
        running = stack.enter_context(demo_node.serving(OUTPUT, port, (pacs.ae_title, pacs.port), fhir.base_url))
    console.print(f"the node is up: AE title {demo_node.AE_TITLE}, port {port}")
    return Peers(running, pacs, fhir)


def _run(peers: Peers, studies: list[DemoStudy]) -> list[Outcome]:
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=console) as progress:
        tasks = {one.uid: progress.add_task(one.title, total=3, state="waiting") for one in studies}

        def show(study: DemoStudy, step: int, state: str) -> None:
            progress.update(tasks[study.uid], completed=step, state=state)

        return [_follow(peers, study, show) for study in studies]


def _follow(peers: Peers, study: DemoStudy, show: Callable[[DemoStudy, int, str], None]) -> Outcome:
    show(study, 0, "sending")
    sent_at = peers.send(study)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = peers.node.explain(study.uid)
        state = _state(told)
        show(study, {"arriving": 1, "being read": 1}.get(state, 2), state)
        if told and state == "delivered":
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"{study.title}: still {state} after {PATIENCE_S:.0f} s; see {OUTPUT / 'node.log'}")
        time.sleep(0.2)
    for _ in range(study.sends - 1):
        show(study, 2, "sending it again")
        peers.send(study)
        time.sleep(AGAIN_S)
        told = peers.node.explain(study.uid) or told
    show(study, 3, "delivered")
    return outcome(study, told, peers.pacs.files(study.uid), peers.reports(study), sent_at)


def _state(told: dict[str, Any] | None) -> str:
    if not told or not told["generations"]:
        return "arriving"
    latest = told["generations"][-1]
    if latest["state"] == "sealed":
        return "being read"
    waiting = [one["destination"] for one in latest["deliveries"] if one["state"] != "delivered"]
    return f"going to {', '.join(waiting)}" if waiting else "delivered"


def _keep(peers: Peers, outcomes: list[Outcome]) -> Path:
    """Leave everything where a person finds it; returns the page to open."""
    logs = sorted((OUTPUT / "node-data" / "log").glob("*.log"))
    (OUTPUT / "node.log").write_text("".join(file.read_text() for file in logs))
    fhir = OUTPUT / "fhir"
    fhir.mkdir()
    for bundle in (OUTPUT / "results").glob("*/fhir-*.json"):
        shutil.copyfile(bundle, fhir / f"{bundle.parent.name}.json")
    console.print(peers.node.timings())
    return write_page(OUTPUT, outcomes, OUTPUT / "results")


def _tell(page: Path, failed: list[Outcome]) -> None:
    if failed:
        log = escape(str(OUTPUT / "node.log"))
        console.print(f"[red]{len(failed)} studies are not as they must be[/]; the log is {log}")
        return
    console.print("[green]every expected result arrived and was checked[/]")
    console.print(f"open   {page}", markup=False)
    console.print(f"DICOM  {OUTPUT / 'pacs'}\nFHIR   {OUTPUT / 'fhir'}\nlog    {OUTPUT / 'node.log'}", markup=False)


def _wait_for_interrupt(peers: Peers) -> None:
    console.print(f"send to it:  storescu -aec {demo_node.AE_TITLE} 127.0.0.1 {peers.node.port} FILE…")
    console.print(f"look at it:  {demo_node.PROGRAM} status --config {peers.node.config}\nCtrl-C ends it", markup=False)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopping")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="scripts/demo")
