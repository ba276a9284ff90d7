"""`dicom-node process`: the same walk without network."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from dicom_node.durable import durable_write
from dicom_node.errors import NotAnInstanceError, StartError
from dicom_node.films import Source
from dicom_node.node import Node
from dicom_node.observe.events import silence_libraries
from dicom_node.pipeline import StudyResult
from dicom_node.results import SUFFIXES
from dicom_node.settings import Settings
from dicom_node.spool.header import read_header
from dicom_node.study import study_key
from structured_reports.port import Refusal
from structured_reports.provenance import is_own


def process_files(settings: Settings, paths: Sequence[Path], out_dir: Path, console: Console) -> None:
    """Write the results of every study in files or folders to a folder, one line a study to results.jsonl."""
    silence_libraries()
    node = Node(settings)
    studies = _by_study(paths, console)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"--out: {out_dir}: {error.strerror}") from error
    serial = hashlib.sha256(settings.node.name.encode()).hexdigest()
    with (
        node.pipeline(settings.work.devices[0], serial) as pipeline,
        (out_dir / "results.jsonl").open("w", encoding="utf-8") as lines,
    ):
        for uid, sources in track(studies.items(), description="studies", console=console):
            study = pipeline.read(sources, made_at=datetime.now().astimezone(), generation=1)
            lines.write(json.dumps(_line(uid, sources, study, _write(out_dir, uid, study)), ensure_ascii=False) + "\n")
            lines.flush()
            console.print(f"{study_key(uid)}  {_sentence(study)}", markup=False, highlight=False, soft_wrap=True)


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
            studies[str(header.StudyInstanceUID)].append(Source(_digest(file), file))
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


def _write(out_dir: Path, uid: str, study: StudyResult) -> list[str]:
    written = []
    for one in study.objects:
        file = out_dir / study_key(uid) / f"{one.kind}{SUFFIXES[one.media_type]}"
        durable_write(file, one.content)
        if one.picture is not None:
            durable_write(file.with_suffix(".png"), one.picture)
        written.append(str(file.relative_to(out_dir)))
    return written


def _line(uid: str, sources: Sequence[Source], study: StudyResult, written: list[str]) -> dict[str, Any]:
    refused = study.outcome if isinstance(study.outcome, Refusal) else None
    scores = {} if isinstance(study.outcome, Refusal) else {one.finding.name: one for one in study.outcome.scores}
    return {
        "study": uid,
        "files": [str(source.path) for source in sources],
        "read": None if refused else str(study.source.path),
        "scores": {name: round(one.score, 6) for name, one in scores.items()},
        "above": [name for name, one in scores.items() if one.above],
        "refused": refused.code if refused else None,
        "reason": refused.reason if refused else None,
        "objects": written,
    }


def _sentence(study: StudyResult) -> str:
    if isinstance(study.outcome, Refusal):
        return f"not performed: {study.outcome.reason}"
    return ", ".join(f"{one.finding.name} {100 * one.score:.0f} %" for one in study.outcome.scores)
