"""Films of the kinds that hospitals send, and requests about them."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.port import Equipment, Refusal, ReportRequest

DX = "1.2.840.10008.5.1.4.1.1.1.1.1"  # Digital X-Ray Image Storage - For Presentation (PS3.4 B.5)
CR = "1.2.840.10008.5.1.4.1.1.1"  # Computed Radiography Image Storage

SOURCES = ("dx", "cr", "monochrome1", "rg1", "minimal", "multi-valued charset", "Korean", "Chinese")
OUTCOMES = ("positive", "negative", "refused")
OBJECTS = [
    (source, outcome, kind)
    for source in SOURCES
    for outcome in OUTCOMES
    for kind in ("summary", "heatmap", "report")
    if kind != "heatmap" or outcome == "positive"
]

EQUIPMENT = Equipment("Example Hospital", "dicom-node", "0.1.0", "SN-1", "AINODE", "2.25.1234567890")
PNEUMONIA = Finding("pneumonia", Code("233604007", "SCT", "Pneumonia"), Code("39607008", "SCT", "Lung"), 0.5)
CARD = ModelCard(
    "test-model", "1.0", "ab" * 32, (PNEUMONIA,), "Frontal chest radiographs. Read the source image first.",
    explanation=Code("130402", "DCM", "Class activation"),
)  # fmt: skip
MADE_AT = datetime(2026, 11, 23, 9, 41, 5, 120_000, tzinfo=UTC)
SCORE = 0.8712


def missing(what: str) -> None:
    """Skip with a message; under CI what is missing is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI=true allows no skip")
    pytest.skip(f"{what} is missing")


def request_for(source: str | Dataset, outcome: str) -> ReportRequest:
    header = source_header(source) if isinstance(source, str) else source
    if outcome == "refused":
        refusal = Refusal("NOT_A_CHEST_FILM", "the study has no frontal chest film")
        return ReportRequest(header, None, refusal, EQUIPMENT, MADE_AT)
    shape = (int(header.get("Rows") or 300), int(header.get("Columns") or 250))
    score = Score(PNEUMONIA, SCORE if outcome == "positive" else 0.1234, _saliency(shape))
    display = np.broadcast_to(np.linspace(30, 220, shape[1]).astype(np.uint8), shape)
    return ReportRequest(header, np.ascontiguousarray(display), Prediction(CARD, (score,)), EQUIPMENT, MADE_AT)


def source_header(name: str) -> Dataset:
    if name == "rg1":
        return pydicom.dcmread(_rg1(), stop_before_pixels=True)
    header = _MAKERS[name]()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    return written_and_read(header)


def written_and_read(header: Dataset) -> Dataset:
    """Return a header as a receiver has it: elements as bytes."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer, stop_before_pixels=True)


def _rg1() -> Path:
    spec = importlib.util.find_spec("data_store")  # the package that pydicom-data installs
    if spec is None or not spec.submodule_search_locations:
        missing("pydicom-data")
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "RG1_UNCR.dcm"


def _minimal() -> Dataset:
    header = Dataset()
    header.SOPClassUID = CR
    header.SOPInstanceUID = "2.25.1001"
    header.StudyInstanceUID = "2.25.1002"
    header.SeriesInstanceUID = "2.25.1003"
    # Not of the film but of any order: without them dciodvfy warns that no DICOMDIR could be made
    header.PatientID, header.StudyID, header.StudyDate, header.StudyTime = "P1", "S1", "20260102", "101112"
    header.Rows, header.Columns = 300, 250
    return header


def _film() -> Dataset:
    header = _minimal()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.PatientName, header.PatientBirthDate, header.PatientSex = "Müller^Jörg", "19510203", "M"
    header.AccessionNumber, header.ReferringPhysicianName = "A-77", "Weiß^Anna"
    header.Modality, header.BodyPartExamined, header.ViewPosition = "CR", "CHEST", "PA"
    header.PatientOrientation = ["L", "F"]
    header.PixelSpacing = header.ImagerPixelSpacing = [0.2, 0.2]
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Manufacturer, header.ManufacturerModelName = "Acme", "Ray 3"
    return header


def _dx() -> Dataset:
    header = _film()
    header.SOPClassUID, header.Modality = DX, "DX"
    return header


def _monochrome1() -> Dataset:
    header = _dx()
    header.PhotometricInterpretation, header.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    return header


def _multi_valued() -> Dataset:
    header = _dx()
    header.SpecificCharacterSet = ["", "ISO 2022 IR 87"]  # PS3.5 H.3.1
    header.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    header.ReferringPhysicianName = "Suzuki^Ken=鈴木^健"
    return header


def _korean() -> Dataset:
    header = _dx()
    header.SpecificCharacterSet = ["", "ISO 2022 IR 149"]  # PS3.5 I.2
    header.PatientName = "Hong^Gildong=洪^吉洞=홍^길동"
    header.ReferringPhysicianName = "Kim^Huijung=金^熙中=김^희중"
    return header


def _chinese() -> Dataset:
    header = _dx()
    header.SpecificCharacterSet = ["", "ISO 2022 IR 58"]  # PS3.5 K.2
    # pydicom does not write the switch to GB 2312 (PS3.5 K.2)
    header.add_new("PatientName", "PN", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=")
    header.add_new("ReferringPhysicianName", "PN", b"Wang^Xiaodong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab=")
    return header


_MAKERS: dict[str, Callable[[], Dataset]] = {
    "dx": _dx,
    "cr": _film,
    "monochrome1": _monochrome1,
    "minimal": _minimal,
    "multi-valued charset": _multi_valued,
    "Korean": _korean,
    "Chinese": _chinese,
}


def _saliency(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    hill = np.exp(-(((x / shape[1] - 0.7) / 0.15) ** 2) - ((y / shape[0] - 0.6) / 0.15) ** 2)
    return (hill / hill.max()).astype(np.float32)
