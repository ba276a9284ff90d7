"""Objects of a test patient, to be stored at a destination that a person wants to try.

What is stored for a trial must never look like a finding: summary page and report say that no AI was performed, and
what is made of predictions only is about a phantom, in a film that nobody took.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation

from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.build import build_results
from structured_reports.port import Equipment, Refusal, ReportRequest, ResultObject
from structured_reports.uids import derived_uid

PATIENT_NAME, PATIENT_ID = "TEST^DICOM-NODE", "DICOM-NODE-TEST"
_NOTICE = "TEST OF A CONNECTION - NOT A PATIENT"
_WITHOUT_PREDICTION = ("summary", "report")
_SIDE = 256
# PS3.16 Annex D; SNOMED CT
_PHANTOM = Finding("phantom", Code("113681", "DCM", "Phantom"), Code("38266002", "SCT", "Entire body"), 0.5)
_CARD = ModelCard("connection-test", "1", "0" * 64, (_PHANTOM,), "To try a connection: no model has read anything.")


def trial_objects(
    equipment: Equipment,
    destination: str,
    kinds: Collection[str],
    forms: Collection[str],
    now: datetime,
    *,
    points: bool = True,
) -> tuple[ResultObject, ...]:
    """Return one object of each kind, in every form, of a study of the test patient that is new each second.

    Parameters
    ----------
    kinds
        That are made of results (`structured_reports.port.KINDS`).
    forms
        That the destination may be sent (`structured_reports.forms`).
    points
        Whether any object may point into an image.
    """
    reason = f"a person tries the connection to {destination}; there is no such patient and no such film"
    refusal = ReportRequest(
        _header(equipment, now), None, Refusal("connection-test", reason), equipment, now, notice=_NOTICE
    )
    saliency = np.zeros((_SIDE, _SIDE), np.float32)
    saliency[96:160, 96:160] = 1.0
    film = np.full((_SIDE, _SIDE), 96, np.uint8)
    prediction = Prediction(_CARD, (Score(_PHANTOM, 1.0, saliency),))
    phantom = replace(refusal, display=film, outcome=prediction, heatmap=points)
    plain = [kind for kind in _WITHOUT_PREDICTION if kind in kinds]
    others = [kind for kind in kinds if kind not in (*_WITHOUT_PREDICTION, "fhir")]
    return (*build_results(refusal, plain, forms=forms), *build_results(phantom, others, forms=forms))


def _header(equipment: Equipment, now: datetime) -> Dataset:
    header = Dataset()
    header.SOPClassUID = DigitalXRayImageStorageForPresentation
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(header, keyword, derived_uid("trial", keyword, equipment.device_uid, now.strftime("%Y%m%d%H%M%S")))
    header.PatientName, header.PatientID = PATIENT_NAME, PATIENT_ID
    header.StudyID = header.AccessionNumber = "TEST"
    header.StudyDate, header.StudyTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    header.StudyDescription = "Test of a connection"
    header.Modality, header.BodyPartExamined = "DX", "CHEST"
    header.Rows = header.Columns = _SIDE
    return header
