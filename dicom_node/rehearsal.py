"""One result of a made-up film before the first real one.

A stage that cannot work stops the node when it starts, not at a patient's study; and what is loaded at first use
is loaded by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from dicom_node.errors import StartError
from inference.errors import UNFAMILIAR, FilmError
from inference.serving.service import Service
from inference.types import Finding, Prediction, Radiograph, Score
from structured_reports.build import build_results
from structured_reports.errors import ReportError
from structured_reports.port import Equipment, ReportRequest
from structured_reports.uids import derived_uid

_SIDE = 256


def rehearse(service: Service, equipment: Equipment) -> None:
    """Prepare, predict and report a made-up film, and throw the result away.

    Raises
    ------
    StartError
        A stage does not work.
    """
    film = Radiograph(np.tile(np.linspace(0, 1, _SIDE, dtype=np.float32), (_SIDE, 1)))
    model = service.model
    try:
        answer = service.answer(model.prepare(film), "rehearsal")
        # A made-up film is like none that the model knows; that it says so shows that it works.
        if isinstance(answer, FilmError) and answer.code != UNFAMILIAR:
            raise answer
        # Whatever the model says of it, the heatmap is to be made too.
        prediction = Prediction(model.card, tuple(_called(model.card.findings)))
        now = datetime(2000, 1, 1, tzinfo=UTC)
        display = np.zeros((_SIDE, _SIDE), np.uint8)
        build_results(ReportRequest(_header(), display, prediction, equipment, now))
    except (FilmError, ReportError) as error:
        raise StartError(f"the model {model.card.name} cannot be used: {error}") from error


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
