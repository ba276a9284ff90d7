"""One result of a made-up film or series before the first real one.

A stage that cannot work stops the node when it starts, not at a patient's study; and what is loaded at first use
is loaded by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from dicom_node.errors import StartError
from dicom_node.loading import REHEARSAL
from inference.errors import NOT_FRONTAL, UNFAMILIAR, FilmError, InferenceError
from inference.models import Model, PreparedFilm, VolumeModel
from inference.serving.service import Service
from inference.types import Finding, Prediction, Radiograph, Score
from structured_reports.build import build_results
from structured_reports.errors import ReportError
from structured_reports.forms import ENCODINGS, REPORT_FORMS
from structured_reports.port import Equipment, ReportRequest
from structured_reports.slices import Slice, Slices
from structured_reports.uids import derived_uid

_SIDE = 256
_SLICES = 8


def rehearse(service: Service, equipment: Equipment, notice: str, kinds: Collection[str]) -> None:
    """Prepare, predict and report what is made up, and throw the result away.

    Raises
    ------
    StartError
        A stage does not work.
    """
    model: Model | VolumeModel = service.model
    header = _header()
    slices = _named(header) if isinstance(model, VolumeModel) else None
    try:
        answer = service.answer(_prepared(model), REHEARSAL)
        # A made-up film is like none that the model knows; that it says so shows that it works.
        if isinstance(answer, FilmError) and answer.code not in (UNFAMILIAR, NOT_FRONTAL):
            raise answer
        # Whatever the model says of it, the heatmap is to be made too.
        prediction = Prediction(model.card, tuple(_called(model.card.findings)))
        now = datetime(2000, 1, 1, tzinfo=UTC)
        display = np.zeros((_SIDE, _SIDE), np.uint8)
        request = ReportRequest(header, display, prediction, equipment, now, notice=notice, slices=slices)
        build_results(request, kinds, forms=(*REPORT_FORMS, *ENCODINGS))
    except (InferenceError, ReportError) as error:
        raise StartError(f"{model.card.name} gives no result of a made-up image: {error}") from error


def _prepared(model: Model | VolumeModel) -> PreparedFilm:
    ramp = np.tile(np.linspace(0, 1, _SIDE, dtype=np.float32), (_SIDE, 1))
    if isinstance(model, Model):
        return model.prepare(Radiograph(ramp))
    slices = [_slice((ramp * 2000.0).astype(np.int16), number) for number in range(_SLICES)]
    return cast(PreparedFilm, model.prepare(slices))


def _slice(values: NDArray[np.int16], number: int) -> Dataset:
    """Return an axial CT slice."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    made.PixelData, made.RescaleSlope, made.RescaleIntercept = values.tobytes(), 1, -1000
    made.ImageOrientationPatient, made.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
    made.ImagePositionPatient = [0, 0, number]
    return made


def _named(header: Dataset) -> Slices:
    return Slices((Slice(header.SOPClassUID, header.SOPInstanceUID),), 0, "feet", 0.0, 1.0)


def _called(findings: Iterable[Finding]) -> Iterable[Score]:
    saliency = np.zeros((_SIDE, _SIDE), np.float32)
    saliency[100:150, 100:150] = 1.0
    return (Score(finding, 1.0, saliency) for finding in findings)


def _header() -> Dataset:
    header = Dataset()
    header.SOPClassUID = ComputedRadiographyImageStorage
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(header, keyword, derived_uid("rehearsal", keyword))
    header.PatientName = header.PatientID = "REHEARSAL"
    header.Modality, header.BodyPartExamined = "CR", "CHEST"
    header.Rows = header.Columns = _SIDE
    return header
