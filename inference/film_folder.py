"""Labelled films of the public chest data sets, and how they are split.

References
----------
* Kermany et al., Cell 172(5), 2018: children of one to five years, AP
* Wang et al., CVPR 2017 (NIH ChestX-ray14); Shih et al., Radiology: AI 1(1), 2019 (RSNA annotations)
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from inference.errors import FilmError, MissingDataError
from inference.film_tables import Row, aspect_of, box_of, rows_of, years_of
from inference.geometry import resized
from inference.picture import picture_film
from inference.types import Radiograph

CHILDREN, ADULTS = "children", "adults"
CHILDREN_TABLE, CHILDREN_FILMS = "kermany.csv", "kermany224.zip"
ADULTS_TABLE, ADULTS_FILMS, ADULTS_BOXES = "nih.csv", "nih448.zip", "nih_boxes.csv"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    CHILDREN_TABLE: ("file", "label", "type", "group", "kaggle_split", "orig_width", "orig_height"),
    ADULTS_TABLE: (
        "file", "nih_image", "findings", "patient", "age", "sex", "view", "orig_width", "orig_height",
        "google_airspace_opacity", "rsna_class", "patient_split",
    ),
    ADULTS_BOXES: ("file", "label", "x", "y", "w", "h"),
}  # fmt: skip
OPACITY, NORMAL = "Lung Opacity", "Normal"
# RSNA's and the clinical center's name for what radiologists boxed as pneumonia.
BOXED = (OPACITY, "Pneumonia")
# How films are split: subjects apart, or, as in much published work, film by film, whoever they show.
BY_SUBJECT, BY_FILM = "subject", "film"


@dataclass(frozen=True)
class LabelledFilm:
    """One film of a data set.

    Attributes
    ----------
    subject
        Films of one subject are never in two splits; subjects that share a duplicate film count as one.
    target
        Probability of pneumonia that training aims at; 0 or 1 where a radiologist or the data set is sure.
    stratum
        What kind of film it is; training draws a fixed share of each, evaluation reports each.
    split
        ``train``, ``validation``, ``test``, ``official-test`` or ``unused``.
    aspect
        Columns by rows of the original, None where unknown; the archives hold squares.
    """

    file: str
    archive: str
    population: str
    subject: str
    target: float
    stratum: str
    split: str
    aspect: float | None = None

    @property
    def is_certain(self) -> bool:
        """True if the label is not a guess from report text."""
        return self.target in (0.0, 1.0)

    @property
    def is_normal(self) -> bool:
        """True if the film was labelled normal by those who read it, which is more than without pneumonia."""
        return self.stratum in (f"{CHILDREN}-normal", f"{ADULTS}-{NORMAL}")


@dataclass(frozen=True)
class FilmFolder:
    """A folder that holds the archives and tables of both populations.

    Raises
    ------
    MissingDataError
        One of them is not there; what reads them, where it cannot be read or breaks its form.
    """

    path: Path

    def __post_init__(self) -> None:
        names = (CHILDREN_TABLE, CHILDREN_FILMS, ADULTS_TABLE, ADULTS_FILMS, ADULTS_BOXES)
        absent = [name for name in names if not (self.path / name).is_file()]
        if absent:
            raise MissingDataError(f"{self.path}: {', '.join(absent)} not found; see the README of the data")

    def films(self, seed: int, protocol: str = BY_SUBJECT) -> list[LabelledFilm]:
        """Return every film of a protocol with its target and its split."""
        children = self.table(CHILDREN_TABLE)
        if protocol == BY_FILM:
            return [shuffled_film(row, seed) for row in children]
        return [*children_films(children, seed), *adult_films(self.table(ADULTS_TABLE), self.boxes(), seed)]

    def table(self, name: str) -> list[Row]:
        """Return the rows of a table."""
        return rows_of(self.path / name, COLUMNS[name])

    def radiographs(self, films: Sequence[LabelledFilm]) -> Iterator[Radiograph]:
        """Yield each film as it is stored."""
        by_archive = {
            name: [film.file for film in films if film.archive == name] for name in (CHILDREN_FILMS, ADULTS_FILMS)
        }
        archives = {name: archive_of(self.path / name, files) for name, files in by_archive.items() if files}
        for film in films:
            yield film_in(archives[film.archive], film.file)

    def boxes(self, labels: Collection[str] = BOXED) -> Mapping[str, list[tuple[float, float, float, float]]]:
        """Return the radiologists' boxes of these labels by file: x, y, width and height as fractions."""
        found: dict[str, list[tuple[float, float, float, float]]] = {}
        for row in self.table(ADULTS_BOXES):
            if row["label"] in labels:
                found.setdefault(row["file"], []).append(box_of(row))
        return found


def archive_of(path: Path, files: Sequence[str]) -> zipfile.ZipFile:
    """Return an archive that has these films; raises MissingDataError where it has not."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise MissingDataError(f"{path}: no archive of films ({error})") from error
    absent = set(files) - set(archive.namelist())
    if absent:
        first = next(file for file in files if file in absent)
        count = f"{len(absent)} of {len(set(files))} films not found, the first {first}"
        raise MissingDataError(f"{path}: {count}; each film of the table is in it")
    return archive


def film_in(archive: zipfile.ZipFile, file: str) -> Radiograph:
    """Return a film of an archive; raises MissingDataError where it cannot be read."""
    try:
        return picture_film(archive.read(file))
    except FilmError as error:
        raise MissingDataError(f"{archive.filename}: {file}: {error}") from error
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:  # RuntimeError: a password
        raise MissingDataError(f"{archive.filename}: {file}: cannot be read ({error})") from error


def share_of(subject: str, seed: int) -> float:
    """Return a number in [0, 1) that a subject always has under a seed."""
    digest = hashlib.sha256(f"{seed}:{subject}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def children_films(rows: Sequence[Row], seed: int) -> list[LabelledFilm]:
    """Return the films of Kermany et al.; no subject of the official test folder is trained on."""
    official = {row["group"] for row in rows if row["kaggle_split"] == "test"}
    return [child_film(row, official, seed) for row in rows]


def child_film(row: Row, official: set[str], seed: int) -> LabelledFilm:
    """Return one row as a film."""
    has_pneumonia = row["label"] == "PNEUMONIA"
    return LabelledFilm(
        file=row["file"], archive=CHILDREN_FILMS, population=CHILDREN, subject=row["group"],
        target=float(has_pneumonia),
        stratum=f"{CHILDREN}-{'pneumonia' if has_pneumonia else 'normal'}",
        split=child_split(row, official, seed),
        aspect=aspect_of(row) if row["orig_width"] else None,
    )  # fmt: skip


def child_split(row: Row, official: set[str], seed: int) -> str:
    """Return the split of a row: its folder if that is the official test, else by subject, 80/10/10."""
    if row["kaggle_split"] == "test":
        return "official-test"
    if row["group"] in official:
        return "unused"
    return third(share_of(row["group"], seed))


def shuffled_film(row: Row, seed: int) -> LabelledFilm:
    """Return a child's film under the split film by film, 80/10/10: one subject lies in several splits."""
    return replace(child_film(row, set(), seed), split=third(share_of(row["file"], seed)))


def third(share: float) -> str:
    """Return the split of a share: 80/10/10."""
    return "train" if share < 0.8 else "validation" if share < 0.9 else "test"


def adult_films(rows: Sequence[Row], boxed: Collection[str], seed: int) -> list[LabelledFilm]:
    """Return the films of NIH ChestX-ray14.

    RSNA's radiologists decide, then those of Majkowska et al., then a box that says pneumonia. Report text is
    wrong too often to be a label: such a film aims at the share of opacities among training films of the same
    text that radiologists read.
    """
    read = {row["patient"] for row in rows if row["rsna_class"]}
    splits = {row["patient"]: adult_split(row, read, seed) for row in rows}
    training = [row for row in rows if splits[row["patient"]] == "train"]
    believed = text_targets(training)
    films = [adult_film(row, splits[row["patient"]], believed, boxed) for row in rows]
    # Minors among the adults' films are trained on and not counted.
    return [
        replace(film, split="unused") if years_of(row) < 18 and film.split != "train" else film
        for row, film in zip(rows, films, strict=True)
    ]


def adult_split(row: Row, read: set[str], seed: int) -> str:
    """Return a patient's split: the table's validation and a tenth of the rest with RSNA class; a quarter is test."""
    if row["patient_split"] == "val":
        return "validation"
    share = share_of(row["patient"], seed) if row["patient"] in read else 1.0
    return "test" if share < 0.25 else "validation" if share < 0.35 else "train"


def adult_film(row: Row, split: str, believed: Mapping[str, float], boxed: Collection[str]) -> LabelledFilm:
    """Return one row as a film."""
    certain = radiologist_target(row)
    if certain is not None:
        target, kind = certain, row["rsna_class"] or "adjudicated"
    elif row["file"] in boxed:
        target, kind = 1.0, "boxed"
    else:
        target, kind = believed[text_class(row)], f"text-{text_class(row)}"
    return LabelledFilm(
        file=row["file"], archive=ADULTS_FILMS, population=ADULTS, subject=row["patient"], target=target,
        stratum=f"{ADULTS}-{kind}", split=split,
        aspect=aspect_of(row),
    )  # fmt: skip


def radiologist_target(row: Row) -> float | None:
    """Return 1.0 or 0.0 where radiologists read the film for opacity, else None."""
    if row["rsna_class"]:
        return float(row["rsna_class"] == OPACITY)
    return {"YES": 1.0, "NO": 0.0}.get(row["google_airspace_opacity"])


def text_class(row: Row) -> str:
    """Return what the report text suggests."""
    findings = set(row["findings"].split("|"))
    if findings & {"Pneumonia", "Consolidation"}:
        return "pneumonia"
    if "Infiltration" in findings:
        return "infiltration"
    return "none" if findings == {"No Finding"} else "other"


def text_targets(rows: Sequence[Row]) -> Mapping[str, float]:
    """Return the share of opacities by text class, among rows that radiologists read; never quite 0 or 1."""
    known: dict[str, list[float]] = {name: [] for name in ("pneumonia", "infiltration", "none", "other")}
    for row in rows:
        target = radiologist_target(row)
        if target is not None:
            known[text_class(row)].append(target)
    return {name: float(np.clip((sum(seen) + 0.5) / (len(seen) + 1), 0.02, 0.98)) for name, seen in known.items()}


def at_aspect(square: Radiograph, aspect: float) -> Radiograph:
    """Return a film of the archives, which hold squares, at its original aspect ratio."""
    rows, columns = square.pixels.shape
    size = (round(columns * aspect), rows) if aspect >= 1.0 else (columns, round(rows / aspect))
    return Radiograph(resized(square.pixels, size, cv2.INTER_LINEAR))
