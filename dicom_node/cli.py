"""The command line.

Commands import what they need when they run: `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.markup import escape

from dicom_node.errors import NodeError
from dicom_node.settings import load_settings

if TYPE_CHECKING:
    from dicom_node.deidentify.settings import VaultSettings
    from dicom_node.node import Node

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A DICOM node that reads studies and gives the results back to PACS and EHR.",
)
out = Console()
err = Console(stderr=True)

Config = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation
    typer.Option(
        "--config",
        "-c",
        help="TOML file; without it every setting has its default.",
        envvar="DICOM_NODE_CONFIG",
    ),
]
_STUDY = "Study Instance UID, or its key or the beginning of that"
Study = Annotated[str, typer.Argument(help=f"{_STUDY}.")]
DataDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--data-dir", "-d", help="Where the node keeps its data.", envvar="DICOM_NODE_DATA_DIR"),
]


def main() -> None:
    """Run a command; a known error is one message and exit status 1."""
    # What the node writes holds patients' data: nobody else on this machine may read it.
    os.umask(0o077)
    try:
        app()
    except NodeError as error:
        _fail(str(error))
    except sa.exc.DatabaseError as error:
        from dicom_node.ledger.database import database_fault

        if not (fault := database_fault(error)):
            raise
        _fail(f"node.database: {fault}")


def _fail(message: str) -> NoReturn:
    err.print(f"dicom-node: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


@app.command()
def serve(config: Config = None, data_dir: DataDir = None) -> None:
    """Start the whole node: migrate, then supervise receivers and workers. Ctrl-C drains and stops."""
    from dicom_node.node import Node
    from dicom_node.supervise import require_free_port, supervise

    settings = load_settings(config, data_dir=data_dir)
    node = Node(settings)
    receive = settings.receive
    node.require_alone()
    require_free_port(receive.host, receive.port)
    for device in settings.work.devices:
        # What is wrong shall stop the node here, not restart a worker for ever.
        for fault in node.require_models(device):
            err.print(f"[red]{escape(fault)}[/]; studies that need this model wait", highlight=False, soft_wrap=True)
    routes = node.routes()
    node.migrate()
    node.close_associations()
    out.print(f"[bold]{escape(settings.node.ae_title)}[/] takes studies on {receive.host}:{receive.port}")
    folders = f"data  {settings.node.data_dir}\nlogs  {settings.node.data_dir / 'log'}"
    out.print(folders, markup=False, soft_wrap=True)
    for destination in settings.destinations:
        out.print(f"to    {destination.name}", markup=False)
    for route in routes:
        out.print(f"copy  {route.name}, without identity (profile {route.settings.profile})", markup=False)
    sys.stdout.flush()
    supervise(settings, config)


@app.command()
def receive(
    config: Config = None,
    data_dir: DataDir = None,
    slot: Annotated[int, typer.Option(help="Number of this receiver on this machine.")] = 0,
    inherit: Annotated[bool, typer.Option("--inherit", help="Listen on the socket that is standard input.")] = False,
) -> None:
    """Run one receiver alone."""
    from dicom_node.node import receiving

    node = _role(config, data_dir)
    if not inherit:
        node.migrate()
    listener = socket.socket(fileno=0) if inherit else None
    with receiving(node, slot, listener):
        _until_stopped()


@app.command()
def work(
    config: Config = None,
    data_dir: DataDir = None,
    slot: Annotated[int, typer.Option(help="Number of this worker on this machine; 0 seals studies.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Run one worker alone: it reads studies on one device and delivers results."""
    from dicom_node.node import reading
    from dicom_node.supervise import SUPERVISOR

    node = _role(config, data_dir)
    if SUPERVISOR is None:
        node.migrate()
    with reading(node, slot, device):
        _until_stopped()


@app.command()
def check(config: Config = None, data_dir: DataDir = None) -> None:
    """Try everything that the node needs: configuration, port, disk, model, each destination."""
    from dicom_node.check import run_checks

    if not run_checks(load_settings(config, data_dir=data_dir), out):
        raise typer.Exit(1)


@app.command()
def probe(
    destination: Annotated[Optional[str], typer.Argument(help="Name of a destination; every PACS without it.")] = None,  # noqa: UP045
    config: Config = None,
    data_dir: DataDir = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Store objects of the patient TEST^DICOM-NODE there too.")
    ] = False,
) -> None:
    """Learn which objects each PACS takes, in which form, and keep that for `status`."""
    from dicom_node.node import Node
    from dicom_node.probe import run_probes

    if not run_probes(Node(load_settings(config, data_dir=data_dir)), destination, out, send_test=send_test):
        raise typer.Exit(1)


@app.command()
def status(
    config: Config = None,
    data_dir: DataDir = None,
    timings: Annotated[bool, typer.Option("--timings", help="Where the time goes, per stage.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    limit: Annotated[int, typer.Option(help="How many studies, newest first.", min=1, max=10_000)] = 20,
) -> None:
    """Show the newest studies, and what waits."""
    from dicom_node import status as shown

    node = _reader(config, data_dir)
    report = shown.timings(node) if timings else shown.studies(node, limit)
    shown.show(report, out, as_json=json)


@app.command()
def explain(
    study: Study,
    config: Config = None,
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell all that happened to a study, and why."""
    from dicom_node import status as shown

    shown.show(shown.explain(_reader(config, data_dir), study), out, as_json=json)


@app.command()
def retry(
    study: Annotated[Optional[str], typer.Argument(help=f"{_STUDY}; all without it.")] = None,  # noqa: UP045
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Send again, now, what is not delivered (the same bytes), and read again what the node failed to read."""
    from dicom_node import status as shown

    queued, reopened = shown.retry(_reader(config, data_dir), study)
    out.print(f"{queued} {'delivery' if queued == 1 else 'deliveries'} queued")
    if reopened:
        out.print(f"{reopened} {'study' if reopened == 1 else 'studies'} to be read again")


@app.command()
def rerun(
    study: Study,
    reason: Annotated[str, typer.Option("--reason", help="Why, for `explain`; no patient data.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Read a study again, with the models set up now: the new results replace the former ones.

    It also reads a study again whose results were withdrawn.
    """
    from dicom_node import lifecycle

    number, is_new = lifecycle.rerun(_reader(config, data_dir), study, reason)
    out.print(f"generation {number} {'queued' if is_new else 'is queued already'}")


@app.command()
def withdraw(
    study: Study,
    reason: Annotated[str, typer.Option("--reason", help="113001 or quality; 113037 or patient-safety.")],
    model: Annotated[Optional[str], typer.Option("--model", help="Only the results of this model.")] = None,  # noqa: UP045
    note: Annotated[str, typer.Option("--note", help="Words that the EHR shows with it; no patient data.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Take results back: a rejection note (IHE IOCM) to each PACS that has them, entered-in-error in each EHR.

    Nothing of the study, or of the model, comes back until `dicom-node rerun`, late images included.
    """
    from dicom_node import lifecycle

    done = lifecycle.withdraw(_reader(config, data_dir), study, lifecycle.reason_of(reason), note, model)
    if done is None:
        out.print("withdrawn before: nothing is left to withdraw")
        return
    places = ", ".join(done.destinations) or "-"
    out.print(f"generation {done.number} withdraws {done.instances} instances at {places}", markup=False)
    for name in done.unreachable:
        err.print(f"{name} has results and is no longer configured: tell it", style="red", markup=False)


@app.command()
def rebuild(
    study: Study,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make the objects of a study anew from their record, and compare the bytes; exit status 1 where one differs."""
    from dicom_node import rebuild as anew

    compared = anew.rebuild(_reader(config, data_dir), study)
    for one in compared:
        line = f"{one.generation}  {one.kind} {one.form}  {one.uid}  {one.model}  {one.fault or 'same'}"
        out.print(line, style="red" if one.fault else None, markup=False, highlight=False, soft_wrap=True)
    if anew.faults_of(compared):
        raise typer.Exit(1)


@app.command()
def process(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files or folders.", exists=True)],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for result objects and results.jsonl.")],
    config: Config = None,
) -> None:
    """Read studies from files, without network: results go to a folder; exit status 1 where a file was not read.

    A second run into the same folder writes results.jsonl anew, and replaces it once it has ended; a run that is
    stopped leaves results.jsonl.part.
    """
    from dicom_node.process import process_files

    if not process_files(load_settings(config), paths, out_dir, err):
        raise typer.Exit(1)


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(help="DICOM file, folder, ZIP file or DICOMDIR.", exists=True)],
    target: Annotated[Path, typer.Argument(help="Folder for the de-identified files and the reports.")],
    profile: Annotated[str, typer.Option("--profile", "-p", help="basic, or one of the configuration.")] = "basic",
    key: Annotated[Optional[Path], typer.Option("--key", help="File of the site key; else as configured.")] = None,  # noqa: UP045
    refused: Annotated[Optional[Path], typer.Option("--refused", help="List the refused files here.")] = None,  # noqa: UP045
    look_for_text: Annotated[
        bool, typer.Option("--look-for-text", help="Refuse images in which something is written (extra `ocr`).")
    ] = False,
    config: Config = None,
) -> None:
    """De-identify files by PS3.15 Annex E; exit status 1 where one was refused. A second run goes on where one stopped.

    The exit status is 1, too, where no file was written by this run or one before it.

    The site key (`dicom-node make-key`, or DICOM_NODE_SITE_KEY) makes pseudonyms that stay the same.
    """
    from dicom_node.deidentify_files import deidentify_files

    settings = load_settings(config).deidentification
    if look_for_text:
        settings = settings.model_copy(update={"look_for_text": True})
    deidentifier = settings.deidentifier(profile, key)
    if settings.vault:
        settings.vault.require()
    if not deidentify_files(source, target, deidentifier, err, refused, settings.vault).is_well:
        raise typer.Exit(1)


@app.command("make-key")
def make_key(file: Annotated[Path, typer.Argument(help="New file; only its owner can read it.")]) -> None:
    """Make a random key, of the pseudonyms of `deidentify` or of a vault. Keep a copy: nothing can make it again."""
    from dicom_node.deidentify import keys

    keys.make_key(file)
    out.print(f"{file}: keep it secret, and keep a copy", markup=False)


vault = typer.Typer(no_args_is_help=True, help="The map from pseudonyms back to persons.")
app.add_typer(vault, name="vault")


@vault.command()
def reveal(
    pseudonym: Annotated[str, typer.Argument(help="A Patient ID, UID or Accession Number of a copy.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it must be known; it stays on record.")],
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Tell whom or what a pseudonym stands for. Who asked, and why, is on record before the answer."""
    from dicom_node.deidentify import vault_command

    if not vault_command.reveal(_vault(config, data_dir).open_to_ask(), pseudonym, reason, out):
        _fail("the vault has no such pseudonym")


@vault.command()
def rotate(config: Config = None, data_dir: DataDir = None) -> None:
    """Make a new key and seal everything with it, while the node runs.

    The former key is kept, those before it go that no entry needs. Keep a copy of the file of the keys afterwards.
    """
    from dicom_node.deidentify import vault_command

    vault_command.rotate(_vault(config, data_dir).open(), out)


@vault.command()
def log(config: Config = None, data_dir: DataDir = None) -> None:
    """Show who revealed what and why, and who rotated the key."""
    from dicom_node.deidentify import vault_command

    vault_command.show_log(_vault(config, data_dir).open_to_ask(), out)


@app.command()
def conformance(config: Config = None) -> None:
    """Print the DICOM conformance statement (PS3.2) of this node."""
    from dicom_node.conformance import statement

    sys.stdout.write(statement(load_settings(config)))


def _role(config: Path | None, data_dir: Path | None) -> Node:
    from dicom_node.node import Node
    from dicom_node.observe.events import configure_logs
    from dicom_node.parent import die_with_parent
    from dicom_node.supervise import SUPERVISOR

    configure_logs()
    if SUPERVISOR:
        die_with_parent(SUPERVISOR)
    return Node(load_settings(config, data_dir=data_dir))


def _reader(config: Path | None, data_dir: Path | None) -> Node:
    from dicom_node.node import Node

    node = Node(load_settings(config, data_dir=data_dir))
    node.require_data()
    return node


def _vault(config: Path | None, data_dir: Path | None) -> VaultSettings:
    settings = load_settings(config, data_dir=data_dir).deidentification
    if settings.vault is None:
        _fail("deidentification.vault: no vault is configured")
    return settings.vault


def _until_stopped() -> None:
    """Return at SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
