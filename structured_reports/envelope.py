"""What surrounds every DICOM result: patient, study, series, equipment, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from inference.types import Code, Prediction
from structured_reports import codes
from structured_reports.header import UTF_8, SourceHeader, python_encodings
from structured_reports.port import ReportRequest
from structured_reports.provenance import MARKER_MANUFACTURER, MARKER_MODEL_NAME
from structured_reports.text import findings_line, fitted, model_line, sentence
from structured_reports.uids import derived_uid

_LONG = 64  # VR LO (PS3.5 6.2)
_SHORT = 16  # VR SH
# SeriesNumber of the first model is 9001 to 9009, of the second 9011 to 9019: viewers sort by it
_NUMBERS_A_MODEL = 10


@dataclass(frozen=True)
class Series:
    """The series of one kind of object. Every object has its own: viewers hide the second of a series.

    Attributes
    ----------
    label
        What the kind is called in SeriesDescription; empty where people call it by its name.
    """

    kind: str
    number: int
    modality: str
    sop_class_uid: str
    label: str = ""

    def description(self, findings: str, model_word: str = "") -> str:
        """Return SeriesDescription. Viewers cut it at about twenty characters: what differs comes first.

        Parameters
        ----------
        model_word
            What tells the model from the others of the node; empty where there are no others.
        """
        return fitted(f"{model_word} AI {self.label or self.kind} {findings}".strip(), _LONG)


SUMMARY = Series("summary", 9001, "OT", SecondaryCaptureImageStorage)
HEATMAP = Series("heatmap", 9002, "OT", SecondaryCaptureImageStorage)
REPORT = Series("report", 9003, "SR", ComprehensiveSRStorage)
PRESENTATION_STATE = Series("gsps", 9004, "PR", GrayscaleSoftcopyPresentationStateStorage, "contour")
SEGMENTATION = Series("seg", 9005, "SEG", SegmentationStorage, "region")
FRACTIONAL_SEGMENTATION = Series("seg-fractional", 9006, "SEG", SegmentationStorage, "activation")
PDF = Series("pdf", 9007, "DOC", EncapsulatedPDFStorage, "PDF")
KEY_OBJECTS = Series("kos", 9008, "KO", KeyObjectSelectionDocumentStorage, "key objects")

EVERY_SERIES = (
    SUMMARY, HEATMAP, REPORT, PRESENTATION_STATE, SEGMENTATION, FRACTIONAL_SEGMENTATION, PDF, KEY_OBJECTS,
)  # fmt: skip


def series_uid(request: ReportRequest, kind: str) -> str:
    """Return the series of `kind` for this result; a second run of the same job names the same series."""
    outcome = request.outcome
    model = (
        (outcome.card.name, outcome.card.version, outcome.card.digest)
        if isinstance(outcome, Prediction)
        else (outcome.code,)
    )
    source = request.source
    return derived_uid(
        "series", kind, source.StudyInstanceUID, source.SOPInstanceUID, *model,
        str(request.generation), request.made_at.isoformat(),
    )  # fmt: skip


def envelope(request: ReportRequest, header: SourceHeader, series: Series) -> Dataset:
    """Return a data set that lacks only its content and its SOPInstanceUID."""
    charset = object_charset(request, header)
    dataset = Dataset()
    dataset.set_original_encoding(False, True, python_encodings(charset))
    identity = header.identity(charset)
    for tag in identity.keys():  # noqa: SIM118  iterating a data set decodes it
        dataset[tag] = identity.get_item(tag)
    dataset.SOPClassUID = series.sop_class_uid
    _add_series(dataset, request, series)
    _add_equipment(dataset, request)
    _add_times(dataset, request, header)
    dataset.ContributingEquipmentSequence = _contributing_equipment(request, header, dataset)
    return dataset


def object_charset(request: ReportRequest, header: SourceHeader) -> str | list[str] | None:
    """Return the character set of a result: the source's, or UTF-8 for our own words or where a source has several.

    Code extensions (PS3.5 6.1.2.5) are what readers know least of: DCMTK turns no Korean or Chinese report into a page.
    """
    return header.charset if _own_words(request).isascii() and not header.is_switched else UTF_8


def code_item(code: Code) -> Dataset:
    """Return a code as an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    if len(code.value) > _SHORT:
        item.LongCodeValue = code.value
    else:
        item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = fitted(code.meaning, _LONG)
    return item


def result_time(request: ReportRequest, header: SourceHeader) -> datetime:
    """Return the time of the result on the clock of the study, where the study says which that is."""
    offset = _utc_offset(header)
    return request.made_at if offset is None else request.made_at.astimezone(offset)


def _own_words(request: ReportRequest) -> str:
    equipment, outcome = request.equipment, request.outcome
    words = [request.notice, request.model_word, equipment.manufacturer, equipment.model_name, equipment.station_name]
    words += [equipment.software_version, equipment.serial_number]
    if isinstance(outcome, Prediction):
        card = outcome.card
        words += [card.name, card.version, card.manufacturer, sentence(card.intended_use)]
        words += [f"{s.finding.name}{s.finding.code.meaning}{s.finding.site.meaning}" for s in outcome.scores]
    else:
        words += [outcome.code, sentence(outcome.reason)]
    return "".join(words)


def _add_series(dataset: Dataset, request: ReportRequest, series: Series) -> None:
    """Add the General Series Module (PS3.3 C.7.3.1)."""
    dataset.Modality = series.modality
    dataset.SeriesInstanceUID = series_uid(request, series.kind)
    dataset.SeriesNumber = series.number + _NUMBERS_A_MODEL * (request.model_number - 1)
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = series.description(findings_line(request.outcome), request.model_word)


def _add_equipment(dataset: Dataset, request: ReportRequest) -> None:
    """Add the General Equipment Module (PS3.3 C.7.5.1)."""
    equipment = request.equipment
    versions = [equipment.software_version]
    if isinstance(request.outcome, Prediction):
        versions.append(model_line(request.outcome.card))
    dataset.Manufacturer = fitted(equipment.manufacturer, _LONG)
    dataset.ManufacturerModelName = fitted(equipment.model_name, _LONG)
    dataset.DeviceSerialNumber = fitted(equipment.serial_number, _LONG)
    dataset.StationName = fitted(equipment.station_name, _SHORT)
    dataset.SoftwareVersions = [fitted(version, _LONG) for version in versions]


def _add_times(dataset: Dataset, request: ReportRequest, header: SourceHeader) -> None:
    """Add when the result was made; the study keeps its own date."""
    made_at = result_time(request, header)
    date, time = made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S.%f")
    for name in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, f"{name}Date", date)
        setattr(dataset, f"{name}Time", time)
    dataset.InstanceCreatorUID = request.equipment.device_uid
    if _utc_offset(header) is not None:
        dataset.TimezoneOffsetFromUTC = made_at.strftime("%z")[:5]


def _utc_offset(header: SourceHeader) -> timezone | None:
    """Return TimezoneOffsetFromUTC of the source: it holds for the dates copied from there (PS3.3 C.12.1)."""
    match = re.fullmatch(r"([+-])(\d{2})([0-5]\d)", str(header.get("TimezoneOffsetFromUTC") or "").strip())
    if match is None or int(match[2]) > 14:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def _contributing_equipment(request: ReportRequest, header: SourceHeader, dataset: Dataset) -> list[Dataset]:
    """Return what took the film, where the source says so, and this software (PS3.3 C.12.1.1.5)."""
    maker = header.get("Manufacturer")
    items = [] if not maker or not str(maker).isascii() else [_acquisition_equipment(header)]
    own = Dataset()
    own.Manufacturer = MARKER_MANUFACTURER
    own.ManufacturerModelName = MARKER_MODEL_NAME
    own.SoftwareVersions = fitted(request.equipment.software_version, _LONG)
    own.ContributionDateTime = f"{dataset.ContentDate}{dataset.ContentTime}"
    own.ContributionDescription = "AI result"
    own.PurposeOfReferenceCodeSequence = [code_item(codes.PROCESSING_EQUIPMENT)]
    return [*items, own]


def _acquisition_equipment(header: SourceHeader) -> Dataset:
    item = Dataset()
    for keyword in ("Manufacturer", "ManufacturerModelName", "StationName", "DeviceSerialNumber"):
        value = str(header.get(keyword) or "")
        if value and value.isascii():
            setattr(item, keyword, value)
    item.PurposeOfReferenceCodeSequence = [code_item(codes.ACQUISITION_EQUIPMENT)]
    return item
