"""The commands of ``python -m inference``."""

from __future__ import annotations

from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Literal

import typer

from inference.console import bars, needed, open_standard_descriptors, put, said, say, stop
from inference.errors import InferenceError
from inference.extras import REPORT, TRAINING
from inference.file_names import STANDARD_INPUT, files_of, listed, named_files
from inference.isolation import LIMIT_S, DecodeProcess
from inference.models import DEFAULT_MODEL, load_proven
from inference.network_process import LOADING_S, faults_apart, isolated
from inference.reading import json_line, read_answers, sources_of
from inference.silence import silence_pydicom
from inference.whole_files import require_writable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ModelFolder = Annotated[Path, typer.Option("--model", help="Model folder; default: the shipped model.")]
DataFolder = Annotated[Path, typer.Option("--data", exists=True, file_okay=False, help="Folder of films and tables.")]
Split = Literal["test", "validation"]
WIDTH = 120  # columns of what goes to no terminal
OutFolder = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write to.")]


@app.callback()
def begin() -> None:
    """Set up every command: none may show what a film says of a patient."""
    open_standard_descriptors()
    silence_pydicom()


@app.command()
def predict(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="DICOM, PNG or JPEG files, folders of them, or @LIST, a file of names (see --list); "
            "@- is standard input."
        ),
    ] = None,
    model: ModelFolder = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads within one operation.")] = 1,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a file instead of a sentence.")] = False,
    names: Annotated[
        Path | None,
        typer.Option(
            "--list",
            exists=True,
            dir_okay=False,
            help="File with one name of a file or folder a line, in UTF-8; relative names start at the folder of it.",
        ),
    ] = None,
    limit_s: Annotated[
        float, typer.Option("--limit-s", min=0.1, help="Seconds that decoding or the network may take of one film.")
    ] = LIMIT_S,
) -> None:
    """Read films, or series of slices, and print a score for each finding.

    What is refused is said with a code and the reason, and the others are read. Exit status: 0, every file was read or
    refused for what it is; 1, the model failed on one, it or the decoder came to no end, or a file or a part of a
    folder cannot be read or is a link to a folder; 2, nothing was read, for the model or a list cannot be used or a
    name leads to no file, or standard output cannot be written; 141, the reader of standard output left.
    """
    failures = 0
    try:
        entries = listed(asked_for(paths or [], names))
        network, decoder = isolated(model, device, threads, limit_s), DecodeProcess.running(limit_s)
        with network as loaded, decoder as process, bars() as progress:
            sources = sources_of(loaded, entries, process)
            answers = read_answers(loaded, sources, process)
            for reading in progress.track(answers, total=len(sources), description="reading"):
                put(json_line(loaded, reading) if jsonl else reading.sentence(loaded))
                failures += reading.is_failure
    except InferenceError as error:
        raise stop(error) from error
    if failures:
        raise typer.Exit(1)


def asked_for(paths: list[str], names: Path | None) -> list[Path]:
    """Return the paths of a command line and of the lists that it names."""
    told = [path[1:] for path in paths if path.startswith("@")]
    lists = [STANDARD_INPUT if path == "-" else Path(path) for path in told] + ([names] if names else [])
    own = [Path(path) for path in paths if not path.startswith("@")]
    if not (own or lists):
        raise typer.BadParameter("name files, folders or a list")
    return [*own, *(file for each in lists for file in named_files(each))]


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Recipe in TOML.")],
    data: DataFolder,
    out: OutFolder,
    most_films: Annotated[int | None, typer.Option(min=1, help="Films of each split, for a quick trial.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Train no more; finish with these weights.")
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Weights of a teacher of the recipe, where its training wrote them; once for each, in its order.",
        ),
    ] = None,
) -> None:
    """Train a recipe and write a model folder."""
    needed("train", TRAINING)
    from inference.training.run import Trainer  # noqa: PLC0415 - serving works without torch

    try:
        require_writable(out)
        with bars() as progress:
            trainer = Trainer(recipe, data, out, progress, most_films, tuple(teacher or ()))
            trainer.finish(checkpoint) if checkpoint else trainer.run()
    except InferenceError as error:
        raise stop(error) from error


@app.command()
def evaluate(
    data: DataFolder,
    out: OutFolder,
    model: ModelFolder = DEFAULT_MODEL,
    split: Annotated[Split, typer.Option(help="validation: for choices, which are never made on test films.")] = "test",
    films: Annotated[
        bool, typer.Option(help="Show films: maps, failures. Without them the page may go where they may not.")
    ] = True,
) -> None:
    """Measure a model on the films that its recipe kept for tests, and write a report page with its figures.

    The folder of the model holds the recipe that trained it, recipe.toml: its seed and its protocol decide which films
    of the data are test films.
    """
    needed("evaluate", REPORT)
    from inference.evaluation import Evaluation, protocol_of  # noqa: PLC0415 - imports what only this needs
    from inference.evaluation.page import write_report  # noqa: PLC0415
    from inference.evaluation.tables import told  # noqa: PLC0415

    try:
        require_writable(out)
        loaded = load_proven(model)
        with bars() as progress:
            measured = Evaluation(loaded, data, protocol_of(model), split).measured(progress)
            write_report(measured, model / "training.jsonl", out, progress, films=films)
    except InferenceError as error:
        raise stop(error) from error
    put(told(measured.report, get_terminal_size((WIDTH, 1)).columns))
    say(f"{out / 'index.html'}: the report")


@app.command()
def compare(
    models: Annotated[list[Path], typer.Argument(exists=True, file_okay=False, help="Two model folders or more.")],
    data: DataFolder,
    out: OutFolder,
) -> None:
    """Measure models on the films that none of them was trained or chosen on, and write a report page.

    Each folder holds the recipe that trained its model, recipe.toml: its seed and its protocol decide which films of
    the data are test films.
    """
    needed("compare", REPORT)
    from inference.evaluation.comparison import Comparison, contenders_in  # noqa: PLC0415 - imports what only this needs
    from inference.evaluation.comparison_page import write_comparison_report  # noqa: PLC0415

    try:
        require_writable(out)
        with bars() as progress:
            compared = Comparison(contenders_in(models), data).compared(progress)
            write_comparison_report(compared, out, progress)
    except InferenceError as error:
        raise stop(error) from error
    say(f"{out / 'index.html'}: the report")


@app.command()
def golden(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Model folder.")],
    film: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A film that may be passed on.")],
) -> None:
    """Ask a model about a film, and keep both in its folder: every device must then give this answer."""
    from inference.serving.recording import record_golden  # noqa: PLC0415 - imports what only this needs

    try:
        recorded = record_golden(folder, film)
    except InferenceError as error:
        raise stop(error) from error
    put(f"{folder}: golden film with scores {', '.join(f'{score:.4f}' for score in recorded.scores)}")


@app.command()
def precision(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Model folder.")],
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Validation films, or folders of them.")],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N: where it is measured.")] = "cuda",
) -> None:
    """Compute in the fastest precision that changes no decision about films, and say so in the card of a model."""
    from inference.serving.choosing import choose_precision  # noqa: PLC0415 - imports what only this needs

    try:
        chosen = choose_precision(folder, files_of(paths), device)
    except InferenceError as error:
        raise stop(error) from error
    for sentence in chosen.sentences():
        put(sentence)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N: where the model is to run.")] = "cpu",
    limit_s: Annotated[
        float, typer.Option("--limit-s", min=0.1, help="Seconds that loading and trying the network may take.")
    ] = LOADING_S,
) -> None:
    """Say what is wrong with a model folder, a line each, all at once; its network is tried, on its golden film too."""
    with said.status("trying the network"):
        faults = faults_apart(folder, device, limit_s)
    for fault in faults:
        put(fault)
    if faults:
        raise typer.Exit(1)
    put(f"{folder}: nothing is wrong")
