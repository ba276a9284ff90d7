"""`dicom-node deidentify`: a collection of files, with progress and a summary."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from dicom_node.deidentify.collection import Summary, deidentify_one, files_in
from dicom_node.deidentify.files import Deidentifier
from dicom_node.errors import StartError
from dicom_node.observe.events import silence_libraries


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
        The target lies within the source or cannot be written, or the source has no file.
    """
    silence_libraries()
    if target.resolve().is_relative_to(source.resolve()):
        raise StartError(f"{target}: lies within what is to be de-identified")
    found = files_in(source)
    if not found:
        raise StartError(f"{source}: no file")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"{target}: {error.strerror}") from error
    summary = Summary()
    for one in track(found, description="files", console=console):
        deidentify_one(one, deidentifier, target, summary)
    if refused is not None:
        lines = [f"{code}\t{sentence}\t{one.path}\t{one.member or ''}\n" for one, code, sentence in summary.refused]
        refused.write_text("".join(lines), encoding="utf-8")
    _show(summary, console)
    return summary


def _show(summary: Summary, console: Console) -> None:
    console.print(
        f"{summary.written} written, {summary.before} there before, {len(summary.refused)} refused, "
        f"{summary.skipped} skipped (DICOMDIR)"
    )
    if not summary.refused:
        return
    table = Table("refused", "files", "why", title="Not written")
    for (code, sentence), number in Counter((code, why) for _, code, why in summary.refused).most_common():
        table.add_row(code, str(number), sentence)
    console.print(table)
