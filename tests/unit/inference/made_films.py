"""A small data folder of made films, and a network that reads them rightly."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inference.film_folder import share_of
from inference.models.port import Outputs

SEED = 20180222  # of the shipped recipe
SIDE = 96
# Where a film with pneumonia is bright, as fractions: x, y, width, height.
BOX = (0.15, 0.55, 0.3, 0.3)


def subjects(prefix: str, low: float, high: float, count: int) -> list[str]:
    """Return subjects whose share under the seed lies in a range, which is what decides on their split."""
    names = (f"{prefix}{number}" for number in range(10_000))
    return [name for name in names if low <= share_of(name, SEED) < high][:count]


def made_film(number: int, has_opacity: bool) -> bytes:
    """Return an encoded film."""
    pixels = np.random.default_rng(number).integers(0, 100, (SIDE, SIDE)).astype(np.uint8)
    if has_opacity:
        x, y, width, height = (round(each * SIDE) for each in BOX)
        pixels[y : y + height, x : x + width] = 255
    return cv2.imencode(".png", pixels)[1].tobytes()


def write_table(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_archive(path: Path, names: Iterable[str], truths: Iterable[bool], blank: Sequence[str]) -> None:
    """Write films; those that are blank have no contrast."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, truth) in enumerate(zip(names, truths, strict=True)):
            even = cv2.imencode(".png", np.full((SIDE, SIDE), 90, np.uint8))[1].tobytes()
            archive.writestr(name, even if name in blank else made_film(number, truth))


def made_folder(path: Path, blank: Sequence[str] = ()) -> Path:
    """Write a data folder: children of every split, and adults whom radiologists read.

    Parameters
    ----------
    blank
        Files without contrast, which every model refuses.
    """
    path.mkdir(parents=True, exist_ok=True)
    children = [child(group, number) for number, group in enumerate(subjects("C", 0.9, 1.0, 12))]
    children += [child(group, number) for number, group in enumerate(subjects("C", 0.8, 0.9, 6), start=100)]
    children += [child(group, number) for number, group in enumerate(subjects("C", 0.0, 0.8, 8), start=200)]
    children += [child(f"O{number}", number, "test") for number in range(300, 308)]
    adults = [adult(patient, number) for number, patient in enumerate(subjects("A", 0.0, 0.25, 12))]
    adults += [adult(patient, number) for number, patient in enumerate(subjects("A", 0.4, 1.0, 6), start=100)]
    write_table(path / "kermany.csv", children)
    write_table(path / "nih.csv", adults)
    write_archive(path / "kermany224.zip", *columns(children, "label", "PNEUMONIA"), blank)
    write_archive(path / "nih448.zip", *columns(adults, "rsna_class", "Lung Opacity"), blank)
    boxed = [each["file"] for each in adults if each["rsna_class"] == "Lung Opacity"]
    write_table(path / "nih_boxes.csv", [box_of(str(file)) for file in boxed])
    write_table(path / "nih_reference_chexnet_preds.csv", [published(each) for each in adults])
    return path


def columns(rows: Sequence[dict[str, object]], key: str, positive: str) -> tuple[list[str], list[bool]]:
    """Return files and truths of rows."""
    return [str(each["file"]) for each in rows], [each[key] == positive for each in rows]


def child(group: str, number: int, folder: str = "train") -> dict[str, object]:
    """Return a row of the children's table; two films of three have pneumonia."""
    kind = ("normal", "bacteria", "virus")[number % 3]
    return {
        "file": f"child-{number}.png", "label": "NORMAL" if kind == "normal" else "PNEUMONIA", "type": kind,
        "group": group, "kaggle_split": folder, "orig_width": 1400 if number % 2 else "", "orig_height": 1000,
    }  # fmt: skip


def adult(patient: str, number: int) -> dict[str, object]:
    """Return a row of the adults' table."""
    return {
        "file": f"adult-{number}.png", "nih_image": f"nih-{number}.png", "findings": "No Finding", "patient": patient,
        "age": 30 + 5 * (number % 9), "sex": "FM"[number % 2], "view": ("PA", "AP")[number // 2 % 2],
        "orig_width": 1000, "orig_height": 1000, "google_airspace_opacity": "", "patient_split": "train",
        "rsna_class": ("Lung Opacity", "Normal", "No Lung Opacity / Not Normal")[number % 3],
    }  # fmt: skip


def box_of(file: str) -> dict[str, object]:
    """Return the row of a radiologist's box."""
    return {"file": file, "label": "Lung Opacity", **dict(zip("xywh", BOX, strict=True))}


def published(row: dict[str, object]) -> dict[str, object]:
    """Return published scores of a film, which say nothing of it."""
    return {"Image Index": row["nih_image"], "prob_Pneumonia": 0.1, "prob_Consolidation": 0.2, "prob_Infiltration": 0.3}


@dataclass(frozen=True)
class BrightnessNetwork:
    """Says pneumonia of films that are dark beside a bright place, points at that place, and embeds brightness."""

    grid: None = None
    side: None = None
    outputs: int = 1
    has_maps: bool = True
    has_embedding: bool = True

    def run(self, films: np.ndarray) -> Outputs:
        pixels = (films[:, 0] + 1.0) / 2.0
        cells = pixels.shape[1] // 8
        pooled = pixels.reshape(len(films), 8, cells, 8, cells).mean(axis=(2, 4))
        logits = (20.0 * (0.42 - pixels.mean(axis=(1, 2))))[:, None].astype(np.float32)
        embedding = pooled.reshape(len(films), -1).astype(np.float32)
        maps = pooled[:, None].astype(np.float32)
        return Outputs(logits, maps if self.has_maps else None, embedding if self.has_embedding else None)


def training_log(path: Path) -> Path:
    """Write a log with rows of an older form among those of epochs."""
    rows = [{"step": 20, "loss": 0.7, "rate": 1e-3}]
    rows += [{"epoch": each, "loss": 1 / each, "children_loss": 2 / each, "children_auc": 0.9} for each in (1, 2, 3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
