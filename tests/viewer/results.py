"""The results of films as the node makes them, and the fault that the viewer must not forgive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from rich.console import Console

from dicom_node.process import process_files
from dicom_node.settings import Settings
from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.build import build_results
from structured_reports.port import Equipment, ReportRequest
from tests.viewer.films import Film

Results = Mapping[str, Path]
"""Files of a study by kind."""

_EQUIPMENT = Equipment("Example Hospital", "dicom-node", "0.1.0", "SN-1", "AINODE", "2.25.1234567890")
_MADE_AT = datetime(2026, 11, 23, 9, 41, 5, tzinfo=UTC)
_FINDINGS = {"pneumonia": "233604007", "effusion": "60046008", "pneumothorax": "36118008"}
_PLACES = {"pneumonia": (0.3, 0.4), "effusion": (0.7, 0.7), "pneumothorax": (0.7, 0.2)}


def results_of(films: Sequence[Film], out: Path) -> dict[str, Results]:
    """Read films as ``dicom-node process`` does; the kinds of each film by its name."""
    process_files(Settings(), [film.file for film in films], out, Console(quiet=True))
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    by_study = {line["study"]: line for line in lines}
    return {
        film.name: {
            Path(name).stem: out / name for name in by_study[film.study_uid]["objects"] if name.endswith(".dcm")
        }
        for film in films
    }


def results_of_several(film: Film, out: Path) -> Results:
    """Return the results of a model that looks for several things, as its scores are made up (`Film.scores`)."""
    source = pydicom.dcmread(film.file, stop_before_pixels=True)
    scores = tuple(_made_up(name, value, source) for name, value in film.scores.items())
    card = ModelCard("made-up", "1", "ab" * 32, tuple(one.finding for one in scores), "Tests of a viewer.")
    request = ReportRequest(source, film.pixels, Prediction(card, scores), _EQUIPMENT, _MADE_AT)
    out.mkdir()
    files = {}
    for one in build_results(request, ("summary", "heatmap", "report")):
        files[one.kind] = out / f"{one.kind}.dcm"
        files[one.kind].write_bytes(one.content)
    return files


def _made_up(name: str, value: float, source: Dataset) -> Score:
    """Return a score with a round map, if it is above the threshold: at the place of its name in `_PLACES`."""
    finding = Finding(name, Code(_FINDINGS[name], "SCT", name.capitalize()), Code("39607008", "SCT", "Lung"), 0.5)
    y, x = np.mgrid[: source.Rows, : source.Columns].astype(np.float32)
    across, down = _PLACES[name]
    away = ((x / source.Columns - across) / 0.1) ** 2 + ((y / source.Rows - down) / 0.1) ** 2
    return Score(finding, value, np.exp(-away).astype(np.float32) if value >= finding.threshold else None)


def split_tracking(report: Path) -> None:
    """Give the second group of an SR a Tracking Unique Identifier of its own: one finding becomes two."""
    ds = pydicom.dcmread(report)
    groups = [one for one in _items(ds) if _concept(one) == "125007"]
    (tracking,) = [one for one in groups[1].ContentSequence if _concept(one) == "112040"]
    tracking.UID = f"{tracking.UID[:-1]}{(int(tracking.UID[-1]) + 1) % 10}"
    ds.save_as(report)


def regions(report: Path) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each region of an SR, in pixels of the film."""
    found = []
    for item in _items(pydicom.dcmread(report)):
        if item.get("GraphicType") == "POLYLINE":
            columns, rows = item.GraphicData[0::2], item.GraphicData[1::2]
            found.append((min(columns), min(rows), max(columns), max(rows)))
    return found


def score(report: Path) -> float:
    """Return the score in percent, as the SR gives it (111012, DCM, Certainty of Finding)."""
    (number,) = [one for one in _items(pydicom.dcmread(report)) if _concept(one) == "111012"]
    return float(number.MeasuredValueSequence[0].NumericValue)


def _items(item: Dataset) -> list[Dataset]:
    return [item, *(one for child in item.get("ContentSequence") or () for one in _items(child))]


def _concept(item: Dataset) -> str:
    named = item.get("ConceptNameCodeSequence")
    return str(named[0].CodeValue) if named else ""
