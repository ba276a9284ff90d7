"""What commands say to people: progress, and why they stop."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping
from typing import IO, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inference.errors import InferenceError
from inference.extras import require

# Results go to standard output, everything said to people to standard error.


class StandardError(io.TextIOBase):
    """The standard error of the moment; what it does not take is dropped, for a result never depends on it."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Write what can be written."""
        stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # beside bars Rich stands before it
        try:
            if stream is not None:
                stream.write(text)
                stream.flush()
        except OSError:
            discard(2)
        return len(text)

    def isatty(self) -> bool:
        """Return whether people read it."""
        return sys.stderr is not None and sys.stderr.isatty()

    def fileno(self) -> int:
        """Return its descriptor."""
        return 2


said = Console(file=cast("IO[str]", StandardError()))


def open_standard_descriptors() -> None:
    """Open the null device for each of descriptors 0 to 2 that is closed.

    A pipe to another process would take its number, and what is printed there would come between the answers.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest that is free is given: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def say(text: str, style: str = "") -> None:
    """Say a text as it is, on a line of its own: a name of a file in it may hold what Rich would take for markup."""
    said.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def put(line: str) -> None:
    """Print a result; raises typer.Exit where standard output does not take it.

    The status is that of a program that SIGPIPE ends where nobody reads on, else 2.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        print(line, flush=True)
    except OSError as error:
        raise lost(error) from error


def lost(error: OSError) -> typer.Exit:
    """Say why standard output takes no result, except to a reader that has left, and return the way out."""
    discard(1)
    if not isinstance(error, BrokenPipeError):
        say(f"standard output: {error.strerror}; results are missing", "red")
    # No bars in a file or a pipe that nobody reads any more; a terminal is given back its cursor.
    said.quiet = not said.is_terminal
    return typer.Exit(141 if isinstance(error, BrokenPipeError) else 2)


def discard(descriptor: int) -> None:
    """Drop what is still to be written there, or the interpreter would fail on it again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def stop(error: InferenceError) -> typer.Exit:
    """Say an error and return the way out."""
    say(str(error), "red")
    return typer.Exit(2)


def needed(command: str, modules: Mapping[str, str]) -> None:
    """Stop where a command would miss a library."""
    try:
        require(command, modules)
    except InferenceError as error:
        raise stop(error) from error


def bars() -> Progress:
    """Return progress bars on standard error."""
    described = TextColumn("{task.description}", markup=False)
    columns = (described, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Rich would print results above the bars, on standard error, also where they go to a file.
    together = sys.stdout is not None and sys.stdout.isatty()
    return Progress(*columns, console=said, redirect_stdout=together)
