"""`dicom-node process`: the same walk without network."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from dicom_node.durable import durable_write
from dicom_node.errors import ModelUnavailableError, NotAnInstanceError, StartError
from dicom_node.films import Source
from dicom_node.node import Node
from dicom_node.observe.events import silence_libraries
from dicom_node.pipeline import Reading, StudyResult
from dicom_node.results import SUFFIXES, told
from dicom_node.settings import Settings
from dicom_node.spool.header import read_header
from dicom_node.study import study_key
from inference.types import Prediction
from structured_reports.port import Refusal, ResultObject
from structured_reports.provenance import is_own


def process_files(settings: Settings, paths: Sequence[Path], out_dir: Path, console: Console) -> None:
    """Write the results of every study in files or folders to a folder, one line a study and model to results.jsonl.

    Raises
    ------
    StartError
        There is nothing to read, or the folder cannot be written; at the end, where a model was missing that studies
        need.
    """
    silence_libraries()
    node = Node(settings)
    studies = _by_study(paths, console)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"--out: {out_dir}: {error.strerror}") from error
    serial = hashlib.sha256(settings.node.name.encode()).hexdigest()
    unread: list[str] = []
    with (
        node.pipeline(settings.work.devices[0], serial) as pipeline,
        (out_dir / "results.jsonl").open("w", encoding="utf-8") as lines,
    ):
        for uid, sources in track(studies.items(), description="studies", console=console):
            try:
                study = pipeline.read(sources, made_at=datetime.now().astimezone(), generation=1)
            except ModelUnavailableError as error:
                unread.append(f"{study_key(uid)}: {error}")
                continue
            for line in _lines(uid, sources, study, out_dir):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
            console.print(f"{study_key(uid)}  {_sentence(study)}", markup=False, highlight=False, soft_wrap=True)
    if unread:
        raise StartError("not read, for want of a model:\n" + "\n".join(unread))


def _by_study(paths: Sequence[Path], console: Console) -> Mapping[str, list[Source]]:
    studies: dict[str, list[Source]] = defaultdict(list)
    seen: set[str] = set()
    for file in _files(paths):
        try:
            header = read_header(file)
        except NotAnInstanceError as error:
            _skipped(console, file, str(error))
            continue
        if str(header.SOPInstanceUID) in seen:
            _skipped(console, file, "its SOP Instance UID came before")
        elif not is_own(header):
            seen.add(str(header.SOPInstanceUID))
            studies[str(header.StudyInstanceUID)].append(
                Source(_digest(file), file, series_uid=str(header.SeriesInstanceUID))
            )
    if not studies:
        raise StartError("no DICOM instance in the given paths")
    return studies


def _skipped(console: Console, file: Path, reason: str) -> None:
    console.print(f"not read {file}: {reason}", markup=False, highlight=False, soft_wrap=True)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


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
