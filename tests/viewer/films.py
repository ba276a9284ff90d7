"""Films to show: real ones, about which radiologists or the shipped model have said what they are."""

from __future__ import annotations

import csv
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from inference.isolation import prepared_film
from inference.models import DEFAULT_MODEL, Answer, load_model
from inference.types import Score
from tests.conftest import as_study

Pixels: TypeAlias = NDArray[np.uint8]
_ROOT = "2.25.4712"
_ALONE = 0.95  # of the map, that it counts as being on one side


@dataclass(frozen=True)
class Film:
    """A film on its way to the node.

    Attributes
    ----------
    side
        ``left`` or ``right`` half of the stored picture, where radiologists marked the opacity; empty where none did.
    pixels
        uint8, (rows, columns), as stored; None where no picture is compared.
    scores
        Finding to score, made up for a model that looks for several things; empty where the shipped model is asked.
    """

    name: str
    file: Path
    side: str = ""
    pixels: Pixels | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def study_uid(self) -> str:
        return str(pydicom.dcmread(self.file, stop_before_pixels=True).StudyInstanceUID)


def films(data: Path, ct_slice: Path, folder: Path) -> list[Film]:
    """Write what the viewer is to show: above and below the threshold, mirrored on purpose, and no film at all."""
    positive = _positive(data, folder)
    assert positive.pixels is not None
    opposite = {"left": "right", "right": "left"}[positive.side]
    mirrored = np.ascontiguousarray(positive.pixels[:, ::-1])
    return [
        positive,
        replace(positive, name="misnamed", file=written(folder, 2, positive.pixels)),
        # Stored as seen from behind, and says so: the model is to read it upright, the line to come back to the film
        Film("mirrored", written(folder, 3, mirrored, ["R", "F"]), opposite, mirrored),
        _negative(data, folder),
        Film("refused", as_study(ct_slice, folder / "refused.dcm", 4711)),
        *_of_several(positive.pixels, folder),
    ]


def _of_several(pixels: Pixels, folder: Path) -> Iterator[Film]:
    """Yield films of a model with three findings: of which two, and one, are above their threshold."""
    told = {
        "two above": {"pneumonia": 0.9, "effusion": 0.8, "pneumothorax": 0.1},
        "one above": {"effusion": 0.1, "pneumonia": 0.9, "pneumothorax": 0.2},
    }
    for number, (name, scores) in enumerate(told.items(), start=5):
        yield Film(name, written(folder, number, pixels), pixels=pixels, scores=scores)


def written(folder: Path, number: int, pixels: Pixels, orientation: list[str] | None = None) -> Path:
    """Write pixels as a digital film of a made-up patient."""
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_ROOT}.{number}", f"{_ROOT}.{number}.1"
    ds.SOPInstanceUID = f"{_ROOT}.{number}.1.1"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = (
        f"Viewer^{number}",
        f"V-{number}",
        "19600101",
        "O",
    )
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20261123", "091500", "1", f"A-{number}"
    ds.SeriesNumber, ds.InstanceNumber, ds.SeriesDescription = 1, 1, "PA"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "CHEST", "PA"
    ds.PatientOrientation = orientation or ["L", "F"]
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelSpacing = ds.ImagerPixelSpacing = [0.8, 0.8]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = 128, 256, 0, 1
    ds.PixelData = pixels.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = folder / f"film-{number}.dcm"
    ds.save_as(file, enforce_file_format=True)
    return file


def _positive(data: Path, folder: Path) -> Film:
    """Return the film with the highest score whose map lies where radiologists marked the only opacity."""
    best: tuple[float, str, Pixels] | None = None
    for name, side in _sides(data).items():
        pixels = _nih(data, name)
        score = _said(written(folder, 1, pixels))
        if score is None or not score.above or score.saliency is None or _share(score.saliency, side) < _ALONE:
            continue
        if best is None or score.score > best[0]:
            best = (score.score, side, pixels)
    assert best is not None, "the shipped model maps no film of nih_boxes.csv to the side that radiologists marked"
    return Film("positive", written(folder, 1, best[2]), best[1], best[2])


def _negative(data: Path, folder: Path) -> Film:
    for row in _rows(data / "cxr" / "nih.csv"):
        if row["rsna_class"] == "Normal":
            file = written(folder, 4, _nih(data, row["file"]))
            score = _said(file)
            if score is not None and not score.above:
                return Film("negative", file)
    raise AssertionError("the shipped model scores no normal film of nih.csv below its threshold")


def _sides(data: Path) -> Mapping[str, str]:
    """Return the half of each film on which radiologists marked lung opacity, where it is one half."""
    extents: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows(data / "cxr" / "nih_boxes.csv"):
        if row["source"].startswith("RSNA"):
            extents[row["file"]].append((float(row["x"]), float(row["x"]) + float(row["w"])))
    return {
        name: "left" if max(end for _, end in boxes) < 0.5 else "right"
        for name, boxes in extents.items()
        if max(end for _, end in boxes) < 0.5 or min(start for start, _ in boxes) > 0.5
    }


def _share(saliency: NDArray[np.float32], side: str) -> float:
    """Return how much of what is above half of the peak lies on a side."""
    mask = saliency >= 0.5 * saliency.max()
    left = float(mask[:, : mask.shape[1] // 2].sum() / mask.sum())
    return left if side == "left" else 1.0 - left


def _said(file: Path) -> Score | None:
    """Return what the shipped model says of a film, None where it refuses it."""
    model = _model()
    film = prepared_film(file, model.guard, model.preprocessing)
    (answer,) = model.predict([film])
    return model.prediction(film, answer).scores[0] if isinstance(answer, Answer) else None


@cache
def _model():
    return load_model(DEFAULT_MODEL)


@cache
def _archive(data: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(data / "cxr" / "nih448.zip")


def _nih(data: Path, name: str) -> Pixels:
    encoded = np.frombuffer(_archive(data).read(name), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)
