"""`dicom-node deidentify`: a collection of files, with progress and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.reports import REPORTS, Reports
from dicom_node.deidentify.settings import VaultSettings
from dicom_node.deidentify.sources import Found, absent_files, files_in, source_of
from dicom_node.durable import written_to
from dicom_node.errors import StartError
from dicom_node.exporting import Copy, Kept, export_apart, exporting_process
from dicom_node.preprocess.decoders import Decoders

# Never images: said to be skipped, not refused.
_SKIPPED = frozenset({"directory"})
# Of names: one file is one line.
_ESCAPED = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass
class Summary:
    """What became of the files of a run.

    Attributes
    ----------
    before
        Number of files whose copy stood there already.
    skipped
        Each DICOMDIR.
    refused
        Each refused file with code and sentence.
    """

    written: int = 0
    before: int = 0
    skipped: list[Found] = field(default_factory=list)
    refused: list[tuple[Found, str, str]] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """True where nothing was refused and something is written, by this run or one before it."""
        return not self.refused and bool(self.written or self.before)

    def count(self, found: Found, made: Copy | Kept) -> None:
        """Count what became of a file."""
        if isinstance(made, Copy):
            self.written += made.is_new
            self.before += not made.is_new
        elif made.code in _SKIPPED:
            self.skipped.append(found)
        else:
            self.refused.append((found, made.code, made.sentence))


def deidentify_files(
    source: Path,
    target: Path,
    deidentifier: Deidentifier,
    console: Console,
    refused: Path | None = None,
    vault: VaultSettings | None = None,
) -> Summary:
    """De-identify every file of a source into a folder; what stands there from an earlier run is left as it is.

    Parameters
    ----------
    deidentifier
        Without its vault, which cannot be handed to another process.
    refused
        File for the names of refused files with their reasons. Names of files may name patients: it is not for the
        target.

    Raises
    ------
    StartError
        The target lies within the source or the list within the target, target or list cannot be written, or the
        source has no file.
    """
    if refused and refused.resolve().is_relative_to(target.resolve()):
        raise StartError(f"{refused}: lies within the target; names of files may name patients")
    if target.resolve().is_relative_to(source_of(source).resolve()):
        raise StartError(f"{target}: lies within what is to be de-identified")
    found = files_in(source)
    if not found:
        raise StartError(f"{source}: no file")
    with written_to(target):
        target.mkdir(parents=True, exist_ok=True)
    summary = Summary()
    Reports(target / REPORTS)  # before any work: it may be that none can be written
    with _refused_list(refused) if refused else nullcontext() as listed, exporting_process() as process:
        try:
            for one in track(found, description="files", console=console):
                summary.count(one, _made(process, one, target, deidentifier, vault))
        finally:
            if listed:
                listed.writelines(_line(*one) for one in summary.refused)
        if not (summary.written or summary.before):
            _show_absent(process, summary.skipped, console)
    _show(summary, console)
    return summary


def _made(
    process: Decoders, found: Found, target: Path, deidentifier: Deidentifier, vault: VaultSettings | None
) -> Copy | Kept:
    try:
        return export_apart(process, found, target, target / REPORTS, deidentifier, vault)
    except OSError as error:
        return Kept("unreadable", f"cannot be read ({type(error).__name__})")


def _show_absent(process: Decoders, directories: Sequence[Found], console: Console) -> None:
    """Say of each DICOMDIR how many of its files are absent: most likely it was copied without them."""
    for path in (one.path for one in directories if one.member is None):
        try:
            absent, named = process.run(absent_files, path)
        except Exception as error:  # pydicom raises nearly anything, and the message quotes it
            said = f"cannot be read whole ({type(error).__name__})"
        else:
            said = f"{absent} of the {named} files that it names are absent"
        console.print(f"{path}: {said}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _refused_list(path: Path) -> Iterator[TextIO]:
    """Open the list of refused files, before any work is done for it.

    Raises
    ------
    StartError
        It cannot be written.
    """
    # A name on a disk is bytes: one that is not UTF-8 stands in the list as it is.
    with written_to(path), path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        yield file


def _line(found: Found, code: str, sentence: str) -> str:
    fields = (code, sentence, str(found.path), found.member or "")
    return "\t".join(field.translate(_ESCAPED) for field in fields) + "\n"


def _show(summary: Summary, console: Console) -> None:
    console.print(
        f"{summary.written} written, {summary.before} there before, {len(summary.refused)} refused, "
        f"{len(summary.skipped)} skipped (DICOMDIR)"
    )
    if not summary.refused:
        return
    table = Table("refused", "files", "why", title="Not written")
    for (code, sentence), number in Counter((code, why) for _, code, why in summary.refused).most_common():
        table.add_row(code, str(number), escape(sentence))
    console.print(table)
