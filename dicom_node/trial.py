"""Objects of a test patient, to be stored at a destination that a person wants to try.

They say that no AI was performed: what is stored for a trial must never look like a finding.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation

from structured_reports.build import build_results
from structured_reports.port import Equipment, Refusal, ReportRequest, ResultObject
from structured_reports.uids import derived_uid

PATIENT_NAME, PATIENT_ID = "TEST^DICOM-NODE", "DICOM-NODE-TEST"
_NOTICE = "TEST OF A CONNECTION - NOT A PATIENT"


def trial_objects(
    equipment: Equipment, destination: str, forms: Collection[str], now: datetime
) -> tuple[ResultObject, ...]:
    """Return a summary page and a report in every form, of a study of the test patient that is new each second.

    Parameters
    ----------
    forms
        That the destination may be sent (`structured_reports.forms`).
    """
    reason = f"a person tries the connection to {destination}; there is no such patient and no such film"
    request = ReportRequest(
        _header(equipment, now), None, Refusal("connection-test", reason), equipment, now, notice=_NOTICE
    )
    return build_results(request, ("summary", "report"), forms=forms)


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
    return header
