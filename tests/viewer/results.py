"""The results of films as the node makes them, and the fault that the viewer must not forgive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from rich.console import Console

from dicom_node.process import process_files
from dicom_node.settings import Settings
from tests.viewer.films import Film

Results = Mapping[str, Path]
"""Files of a study by kind."""


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
        if item.get("ValueType") == "SCOORD":
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
