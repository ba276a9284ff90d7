"""What the model says of each finding (TID 1410 for a region, TID 1501 for the whole film)."""

from __future__ import annotations

from typing import TypeAlias

from highdicom import sr
from pydicom.uid import UID

from inference.types import Code, ModelCard, Prediction, Score
from structured_reports import codes
from structured_reports.content import CONTAINS, concept
from structured_reports.errors import UnusableHeaderError
from structured_reports.header import SourceHeader
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import Region, regions_of
from structured_reports.selection import mapped_scores
from structured_reports.uids import derived_uid

Group: TypeAlias = sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations


def measurement_groups(
    request: ReportRequest, prediction: Prediction, header: SourceHeader, map_object: ResultObject | None
) -> list[Group]:
    """Return the groups, those with a region first: OHIF shows nothing if it meets another before."""
    if UID(header.text.SOPClassUID).is_private:
        raise UnusableHeaderError("source header: a region refers to an image of a standard SOP class (TID 1410)")
    mapped = mapped_scores(request)
    groups: list[Group] = []
    for score in mapped:
        # The heatmap instance shows the leading finding only
        shown_by = map_object if score is mapped[0] else None
        groups += _region_groups(prediction.card, score, header, shown_by)
    groups += [_image_group(prediction.card, score, header) for score in prediction.scores]
    return groups


def percent_value(fraction: float) -> float:
    """Return a fraction in percent, as written in a NUM item."""
    return round(fraction * 100, 4)


def _region_groups(
    card: ModelCard, score: Score, header: SourceHeader, shown_by: ResultObject | None
) -> list[sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    if score.saliency is None:
        return []
    regions = regions_of(score.saliency)
    groups = [_region_group(card, score, header, region, number) for number, region in enumerate(regions)]
    if shown_by is not None:
        for group in groups:
            group[0].ContentSequence.append(_visual_explanation(shown_by))
    return groups


def _region_group(
    card: ModelCard, score: Score, header: SourceHeader, region: Region, number: int
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(card, score, header, number),
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=region.points,
            source_image=sr.SourceImageForRegion(header.text.SOPClassUID, header.text.SOPInstanceUID),
        ),
        finding_type=concept(score.finding.code),
        algorithm_id=_algorithm(card, score),
        finding_sites=[sr.FindingSite(concept(score.finding.site))],
        qualitative_evaluations=[_assessment(score)],
    )


def _image_group(card: ModelCard, score: Score, header: SourceHeader) -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(card, score, header, 0),
        finding_type=concept(score.finding.code),
        algorithm_id=_algorithm(card, score),
        finding_sites=[sr.FindingSite(concept(score.finding.site))],
        measurements=[
            _percent(codes.SCORE, score.score),
            _percent(codes.THRESHOLD, score.finding.threshold),
        ],
        qualitative_evaluations=[_assessment(score)],
        source_images=[sr.SourceImageForMeasurementGroup(header.text.SOPClassUID, header.text.SOPInstanceUID)],
    )


def _tracking(card: ModelCard, score: Score, header: SourceHeader, number: int) -> sr.TrackingIdentifier:
    """Return the name of a finding; its main region has the same, because it is the same finding.

    The text is our own: OHIF takes ``Cornerstone3DTools@...`` for its own measurement and replaces the score.
    """
    suffix = f" region {number + 1}" if number else ""
    name = score.finding.name
    return sr.TrackingIdentifier(
        uid=derived_uid("tracking", header.text.SOPInstanceUID, card.name, name, str(number)),
        identifier=f"AI {name}{suffix}",
    )


def _algorithm(card: ModelCard, score: Score) -> sr.AlgorithmIdentification:
    """Return which algorithm, how it was set (TID 4019)."""
    return sr.AlgorithmIdentification(
        name=card.name,
        version=card.version,
        manufacturer=card.manufacturer,
        family=concept(codes.AI_FAMILY),
        parameters=[f"weights sha256 {card.digest}", f"threshold {score.finding.threshold:g}"],
    )


def _percent(name: Code, fraction: float) -> sr.Measurement:
    return sr.Measurement(name=concept(name), value=percent_value(fraction), unit=concept(codes.PERCENT))


def _assessment(score: Score) -> sr.QualitativeEvaluation:
    value = codes.POSITIVE if score.above else codes.NEGATIVE
    return sr.QualitativeEvaluation(name=concept(codes.ASSESSMENT), value=concept(value))


def _visual_explanation(shown_by: ResultObject) -> sr.ImageContentItem:
    """Return where a reader sees why (TID 1410, CID 217)."""
    return sr.ImageContentItem(
        concept(codes.VISUAL_EXPLANATION), shown_by.sop_class_uid, shown_by.uid, relationship_type=CONTAINS
    )
