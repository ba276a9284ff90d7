"""What commands say to people: progress, and why they stop."""

from __future__ import annotations

from collections.abc import Mapping

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inference.errors import InferenceError
from inference.extras import require

# Results go to standard output, everything said to people to standard error.
said = Console(stderr=True)


def stop(error: InferenceError) -> typer.Exit:
    """Say an error and return the way out."""
    said.print(f"[red]{error}[/red]", soft_wrap=True, highlight=False)
    return typer.Exit(2)


def needed(command: str, modules: Mapping[str, str]) -> None:
    """Stop where a command would miss a library."""
    try:
        require(command, modules)
    except InferenceError as error:
        raise stop(error) from error


def bars() -> Progress:
    """Return progress bars on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=said)
