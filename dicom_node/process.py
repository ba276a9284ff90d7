"""`dicom-node process`: the same walk without network."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import track

from dicom_node.deidentify.sources import files_in
from dicom_node.durable import durable_write, sync_folder, written_to
from dicom_node.errors import ModelUnavailableError, NotAnInstanceError, StartError
from dicom_node.films import Source
from dicom_node.node import Node
from dicom_node.observe.events import name_of, silence_libraries
from dicom_node.pipeline import Reading, StudyResult
from dicom_node.results import SUFFIXES, told
from dicom_node.settings import Settings
from dicom_node.spool.header import read_header
from dicom_node.study import study_key
from inference.types import Prediction
from inference.whole_files import sync_file
from structured_reports.port import Refusal, ResultObject
from structured_reports.provenance import is_own


@dataclass
class _Batch:
    """The studies of files, and what could not be read of them, each told when it is found.

    Attributes
    ----------
    unread
        Number of files.
    digests
        By SOP Instance UID, of what is in a study or made by this software.
    """

    console: Console
    studies: dict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))
    unread: int = 0
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, file: Path) -> None:
        """Add an instance to its study; one that came before, and an object of this software, are passed over."""
        try:
            header, digest = read_header(file), _digest(file)
        except NotAnInstanceError as error:
            self.leave(file, str(error))
            return
        except OSError as error:
            self.leave(file, error.strerror or type(error).__name__)
            return
        uid = str(header.SOPInstanceUID)
        if (former := self.digests.get(uid)) is not None:
            if former != digest:
                self.leave(file, "another file has its SOP Instance UID and other bytes")
            return
        self.digests[uid] = digest
        if not is_own(header):
            source = Source(digest, file, series_uid=str(header.SeriesInstanceUID))
            self.studies[str(header.StudyInstanceUID)].append(source)

    def leave(self, file: Path, reason: str) -> None:
        """Count a file that is not read, and say why."""
        self.unread += 1
        self.console.print(f"not read {file}: {reason}", markup=False, highlight=False, soft_wrap=True)


def process_files(settings: Settings, paths: Sequence[Path], out_dir: Path, console: Console) -> bool:
    """Write the results of every study in files or folders to a folder, one line a study and model to results.jsonl.

    Returns
    -------
    bool
        True where every file was read, or refused by a model with its reason.

    Raises
    ------
    StartError
        There is nothing to read, or the folder cannot be written; at the end, where studies were not read: for want of
        a model, or for a fault of the node.
    """
    silence_libraries()
    node = Node(settings)
    batch = _batch_of(paths, console)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"--out: {out_dir}: {error.strerror}") from error
    serial = hashlib.sha256(settings.node.name.encode()).hexdigest()
    unread: list[str] = []
    with (
        _replacing(out_dir / "results.jsonl") as lines,
        node.pipeline(settings.work.devices[0], serial) as pipeline,
    ):
        for uid, sources in track(batch.studies.items(), description="studies", console=console):
            try:
                study = pipeline.read(sources, made_at=datetime.now().astimezone(), generation=1)
            except ModelUnavailableError as error:
                unread.append(f"{study_key(uid)}: {error}")
                continue
            except Exception as error:  # whatever one study comes to, the others are read
                unread.append(f"{study_key(uid)}: unexpected {name_of(error)}")
                continue
            for line in _lines(uid, sources, study, out_dir):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
            console.print(f"{study_key(uid)}  {_sentence(study)}", markup=False, highlight=False, soft_wrap=True)
    if batch.unread:
        console.print(f"{batch.unread} file{'s' * (batch.unread > 1)} not read", highlight=False)
    if unread:
        raise StartError("studies that are not read:\n" + "\n".join(unread))
    return not batch.unread


def _batch_of(paths: Sequence[Path], console: Console) -> _Batch:
    batch = _Batch(console)
    for path in paths:
        for found in files_in(path):
            if found.fault is not None:
                batch.leave(found.path, found.fault[1])
            elif found.member is not None:
                batch.leave(found.path, f"{found.member} lies in a ZIP file; unpack it")
            elif found.path.name.upper() != "DICOMDIR":  # it lists instances and is none (PS3.10 8.6)
                batch.add(found.path)
    if not batch.studies:
        raise StartError("no DICOM instance in the given paths")
    return batch


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """Yield a file that takes the place of another when the block ends; of a run that is stopped it is left."""
    part = path.with_name(f"{path.name}.part")
    with written_to(path):
        file = part.open("w", encoding="utf-8")
    with file:
        yield file
    with written_to(path):
        sync_file(part)
        part.replace(path)
        sync_folder(path.parent)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines(uid: str, sources: Sequence[Source], study: StudyResult, out_dir: Path) -> Iterator[dict[str, Any]]:
    """Write what was made of a study, and yield what is told of it: of each model, or why there is no result."""
    about = {"study": uid, "files": [str(source.path) for source in sources]}
    folder = out_dir / study_key(uid)
    if study.refusal:
        yield about | _refused("", study.refusal) | {"objects": _written(out_dir, folder, study.objects)}
        return
    for one in study.readings:
        # A version may hold any sign.
        files = _written(out_dir, folder / re.sub(r"[^\w.-]+", "-", one.model), one.objects)
        yield about | _reading(one) | {"objects": files}


def _reading(one: Reading) -> dict[str, Any]:
    if isinstance(one.outcome, Refusal):
        return _refused(one.model, one.outcome)
    read = {"model": one.model, "read": str(one.source.path), "refused": None, "reason": None}
    return read | told(one.outcome)


def _refused(model: str, refusal: Refusal) -> dict[str, Any]:
    said = {"model": model or None, "read": None, "refused": refusal.code, "reason": refusal.reason}
    return said | {"scores": {}, "familiarity": None, "literature": []}


def _written(out_dir: Path, folder: Path, objects: Sequence[ResultObject]) -> list[str]:
    written = []
    for one in (one for one in objects if not one.alternative_to):
        file = folder / f"{one.kind}{SUFFIXES[one.media_type]}"
        durable_write(file, one.content)
        if one.picture is not None:
            durable_write(file.with_suffix(".png"), one.picture)
        written.append(str(file.relative_to(out_dir)))
    return written


def _sentence(study: StudyResult) -> str:
    if study.refusal:
        return f"not performed: {study.refusal.reason}"
    return "; ".join(f"{one.model}: {_said(one.outcome)}" for one in study.readings)


def _said(outcome: Prediction | Refusal) -> str:
    if isinstance(outcome, Refusal):
        return outcome.reason
    return ", ".join(f"{one.finding.name} {100 * one.score:.0f} %" for one in outcome.scores)
