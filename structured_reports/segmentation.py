"""Regions and map as Segmentation images: what another program computes with.

highdicom makes the frames and functional groups, about a stand-in for the source that carries no identity; what
names patient, study, series and equipment is the same as in every other result.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from inference.types import ModelCard, Prediction, Score
from structured_reports import codes
from structured_reports.content import concept
from structured_reports.envelope import FRACTIONAL_SEGMENTATION, SEGMENTATION, Series, envelope
from structured_reports.header import SourceHeader, read_header
from structured_reports.header_faults import require_standard_class
from structured_reports.measurement_groups import tracking
from structured_reports.part10 import sealed
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import LEVEL, covered
from structured_reports.secondary_capture import add_body_part
from structured_reports.selection import mapped_scores
from structured_reports.spacing import directions, pair_of
from structured_reports.text import NOT_AN_OUTLINE, fitted
from structured_reports.uids import derived_uid

MOST = 255
"""Value of a fractional segmentation at the peak of its map."""

# Where the source lies in the patient, if it says so; a projection radiograph does not (PS3.3 C.7.4.1, C.7.6.2)
_PLANE = (
    "FrameOfReferenceUID", "PositionReferenceIndicator", "ImageOrientationPatient", "ImagePositionPatient",
    "PixelSpacing", "SliceThickness",
)  # fmt: skip
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def segmentation(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return the regions, one binary segment a finding; None where no map may be shown."""
    return _segmentation(request, SEGMENTATION)


def fractional_segmentation(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return the maps in 256 steps, one segment a finding; None where no map may be shown."""
    return _segmentation(request, FRACTIONAL_SEGMENTATION)


def _segmentation(request: ReportRequest, series: Series) -> ResultObject | None:
    shown = [score for score in mapped_scores(request) if score.saliency is not None]
    if not shown or not isinstance(request.outcome, Prediction):
        return None
    header = read_header(request.source)
    require_standard_class(header.text)
    dataset = envelope(request, header, series)
    add_body_part(dataset, request, header)
    made = _made(request, request.outcome.card, shown, header, series)
    for element in made:
        if element.tag not in dataset and element.tag.group != 0x0002:
            dataset[element.tag] = element
    _name_dimensions(dataset)
    if "FrameOfReferenceUID" not in dataset:
        # Type 2C where no position says it (PS3.3 C.7.6.1); highdicom leaves it out
        dataset.PatientOrientation = directions(header)
    dataset.ContentCreatorName = None  # type 2 (PS3.3 Table 10-12)
    dataset.BurnedInAnnotation = "NO"
    dataset["PixelData"].VR = "OB"
    return sealed(series.kind, dataset, header)


def _made(
    request: ReportRequest, card: ModelCard, shown: list[Score], header: SourceHeader, series: Series
) -> Segmentation:
    is_binary = series is SEGMENTATION
    maps = [score.saliency for score in shown if score.saliency is not None]
    planes = [covered(one) if is_binary else _in_steps(one) for one in maps]
    equipment = request.equipment
    return Segmentation(
        source_images=[_stand_in(header, maps[0])],
        pixel_array=np.stack(planes, axis=-1)[None],
        segmentation_type=SegmentationTypeValues.BINARY if is_binary else SegmentationTypeValues.FRACTIONAL,
        segment_descriptions=[
            _segment(request, card, score, header, number, is_binary) for number, score in enumerate(shown, start=1)
        ],
        series_instance_uid=derived_uid("stand-in", "series"),
        series_number=series.number,
        sop_instance_uid=derived_uid("stand-in", "instance"),
        instance_number=1,
        manufacturer=equipment.manufacturer,
        manufacturer_model_name=equipment.model_name,
        software_versions=equipment.software_version,
        device_serial_number=equipment.serial_number,
        max_fractional_value=MOST,
        content_label="AI_RESULT",
        content_description=fitted(request.notice, 64),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,
    )


def _segment(
    request: ReportRequest, card: ModelCard, score: Score, header: SourceHeader, number: int, is_binary: bool
) -> SegmentDescription:
    """Return what a segment is: activation of a model, never the extent of a disease."""
    algorithm = AlgorithmIdentificationSequence(
        name=fitted(card.name, 64),
        family=concept(codes.AI_FAMILY),
        version=fitted(card.version, 64),
        source=fitted(card.manufacturer, 64),
        parameters={"weights sha256": card.digest, "threshold": f"{score.finding.threshold:g}"},
    )
    named = tracking(card, score, header, 0, request.slices)
    segment = SegmentDescription(
        segment_number=number,
        segment_label=fitted(f"AI {score.finding.name}", 64),
        segmented_property_category=concept(codes.ABNORMAL_STRUCTURE),
        segmented_property_type=concept(score.finding.code),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=named[1].UID,
        tracking_id=named[0].TextValue,
        anatomic_regions=[concept(score.finding.site)],
    )
    # The standard knows no other fractions than probability and occupancy (PS3.3 C.8.20.2): the words say what it is
    what = f"at least {LEVEL:.0%} of the peak" if is_binary else f"{MOST} at the peak"
    segment.SegmentDescription = fitted(f"{request.notice}. Activation of the model, {what}, {NOT_AN_OUTLINE}", 1024)
    return segment


def _in_steps(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the map within [0, 1] and in the memory order that highdicom packs fastest."""
    return np.ascontiguousarray(np.clip(saliency, 0.0, 1.0))


def _stand_in(header: SourceHeader, saliency: NDArray[np.float32]) -> Dataset:
    """Return the source as highdicom takes it: references and grid, no identity."""
    item = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(item, keyword, getattr(header.text, keyword))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
                    "StudyDate", "StudyTime"):  # fmt: skip
        setattr(item, keyword, "")
    item.Rows, item.Columns = saliency.shape
    for keyword in (*_LOSSY, *(_PLANE if _has_plane(header) else ())):
        if header.get(keyword):
            setattr(item, keyword, header.get(keyword))
    return item


def _has_plane(header: SourceHeader) -> bool:
    needed = ("FrameOfReferenceUID", "ImageOrientationPatient", "ImagePositionPatient")
    return all(header.get(keyword) for keyword in needed) and pair_of(header, "PixelSpacing") is not None


def _name_dimensions(dataset: Dataset) -> None:
    """Replace the random UID of the dimensions by one that a rebuild has too."""
    uid = derived_uid("dimensions", dataset.SeriesInstanceUID)
    dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid
    for index in dataset.DimensionIndexSequence:
        index.DimensionOrganizationUID = uid
