"""`dicom-node deidentify`: a collection of files, with progress and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from dicom_node.deidentify.collection import Summary, deidentify_one
from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.reports import REPORTS, Reports
from dicom_node.deidentify.sources import Found, files_in, source_of
from dicom_node.errors import StartError
from dicom_node.observe.events import silence_libraries

# Of names: one file is one line.
_ESCAPED = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def deidentify_files(
    source: Path, target: Path, deidentifier: Deidentifier, console: Console, refused: Path | None = None
) -> Summary:
    """De-identify every file of a source into a folder; what stands there from an earlier run is left as it is.

    Parameters
    ----------
    refused
        File for the names of refused files with their reasons. Names of files may name patients: it is not for the
        target.

    Raises
    ------
    StartError
        The target lies within the source, target or list cannot be written, or the source has no file.
    """
    silence_libraries()
    if target.resolve().is_relative_to(source_of(source).resolve()):
        raise StartError(f"{target}: lies within what is to be de-identified")
    found = files_in(source)
    if not found:
        raise StartError(f"{source}: no file")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"{target}: {error.strerror}") from error
    summary, reports = Summary(), Reports(target / REPORTS)
    with _refused_list(refused) if refused else nullcontext() as listed:
        try:
            for one in track(found, description="files", console=console):
                deidentify_one(one, deidentifier, target, reports, summary)
        finally:
            if listed:
                listed.writelines(_line(*one) for one in summary.refused)
    _show(summary, console)
    return summary


@contextmanager
def _refused_list(path: Path) -> Iterator[TextIO]:
    """Open the list of refused files, before any work is done for it.

    Raises
    ------
    StartError
        It cannot be written.
    """
    try:
        # A name on a disk is bytes: one that is not UTF-8 stands in the list as it is.
        with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
            yield file
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error


def _line(found: Found, code: str, sentence: str) -> str:
    fields = (code, sentence, str(found.path), found.member or "")
    return "\t".join(field.translate(_ESCAPED) for field in fields) + "\n"


def _show(summary: Summary, console: Console) -> None:
    console.print(
        f"{summary.written} written, {summary.before} there before, {len(summary.refused)} refused, "
        f"{summary.skipped} skipped (DICOMDIR)"
    )
    if not summary.refused:
        return
    table = Table("refused", "files", "why", title="Not written")
    for (code, sentence), number in Counter((code, why) for _, code, why in summary.refused).most_common():
        table.add_row(code, str(number), escape(sentence))
    console.print(table)
