"""What the model says of each finding (TID 1410 for a region, TID 1501 for the whole film or series)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from highdicom import sr

from inference.types import Code, ModelCard, Prediction, Score
from structured_reports import codes
from structured_reports.content import CONTAINS, concept
from structured_reports.header import SourceHeader
from structured_reports.header_faults import require_standard_class
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import Region, regions_of
from structured_reports.selection import mapped_scores
from structured_reports.slices import Slice, Slices
from structured_reports.text import fitted
from structured_reports.uids import derived_uid

_FEWEST_DIGITS, _MOST_DIGITS = 4, 12  # after the point; a number has 16 characters (PS3.5 6.2, VR DS)

Group: TypeAlias = sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations


@dataclass(frozen=True)
class _Subject:
    """What the groups are about, and who says it.

    Attributes
    ----------
    slices
        The series that was read; None for a film.
    """

    card: ModelCard
    header: SourceHeader
    slices: Slices | None

    @property
    def images(self) -> list[sr.SourceImageForMeasurementGroup]:
        """Every image that was read."""
        film = Slice(self.header.text.SOPClassUID, self.header.text.SOPInstanceUID)
        read = (film,) if self.slices is None else self.slices.instances
        return [sr.SourceImageForMeasurementGroup(each.sop_class_uid, each.sop_instance_uid) for each in read]


def measurement_groups(
    request: ReportRequest, prediction: Prediction, header: SourceHeader, map_object: ResultObject | None
) -> list[Group]:
    """Return the groups, those with a region first: OHIF shows nothing if it meets another before."""
    require_standard_class(header.text)
    subject = _Subject(prediction.card, header, request.slices)
    mapped = mapped_scores(request)
    groups: list[Group] = []
    for score in mapped:
        # The heatmap instance shows the leading finding only
        shown_by = map_object if score is mapped[0] else None
        groups += _region_groups(subject, score, shown_by)
    film = request.display.shape if mapped and request.display is not None else None
    groups += [_image_group(subject, score, None if score in mapped else film) for score in prediction.scores]
    return groups


def percent_values(score: Score) -> tuple[float, float]:
    """Return score and threshold in percent, in as few digits from four on as leave the score on its side."""
    numbers = (score.score * 100, score.finding.threshold * 100)
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        found, threshold = round(numbers[0], digits), round(numbers[1], digits)
        if (found >= threshold) == score.above:
            return found, threshold
    return numbers


def _region_groups(
    subject: _Subject, score: Score, shown_by: ResultObject | None
) -> list[sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    if score.saliency is None:
        return []
    regions = regions_of(score.saliency)
    groups = [_region_group(subject, score, region, number) for number, region in enumerate(regions)]
    if shown_by is not None:
        for group in groups:
            group[0].ContentSequence.append(_visual_explanation(shown_by))
    return groups


def _region_group(
    subject: _Subject, score: Score, region: Region, number: int
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    source = subject.header.text
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(subject.card, score, subject.header, number, subject.slices),
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=region.points,
            source_image=sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID),
        ),
        finding_type=concept(score.finding.code),
        algorithm_id=_algorithm(subject.card, score),
        finding_sites=[sr.FindingSite(concept(score.finding.site))],
        qualitative_evaluations=[_assessment(score)],
    )


def _image_group(
    subject: _Subject, score: Score, film: tuple[int, ...] | None
) -> sr.MeasurementsAndQualitativeEvaluations:
    """Return what is said of the whole; `film` are rows and columns where that is to be said in coordinates too."""
    found, threshold = percent_values(score)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(subject.card, score, subject.header, 0, subject.slices),
        finding_type=concept(score.finding.code),
        algorithm_id=_algorithm(subject.card, score),
        finding_sites=[sr.FindingSite(concept(score.finding.site))],
        measurements=[
            _percent(_named(codes.SCORE, score), found, () if film is None else [_corners(subject, *film)]),
            _percent(codes.THRESHOLD, threshold),
        ],
        qualitative_evaluations=[_assessment(score)],
        source_images=subject.images,
    )


def tracking(
    card: ModelCard, score: Score, header: SourceHeader, number: int, slices: Slices | None = None
) -> sr.TrackingIdentifier:
    """Return the name of a finding; its main region has the same, because it is the same finding.

    Two versions of a model say two things of one image: neither follows up on the other. What a series shows is
    named by the series: which of its slices is shown depends on the score.

    The text is our own: OHIF takes ``Cornerstone3DTools@...`` for its own measurement and replaces the score.
    """
    suffix = f" region {number + 1}" if number else ""
    name = score.finding.name
    read = header.text.SOPInstanceUID if slices is None else header.text.SeriesInstanceUID
    return sr.TrackingIdentifier(
        uid=derived_uid("tracking", read, card.name, card.version, card.digest, name, str(number)),
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


def _named(code: Code, score: Score) -> Code:
    """Return a code that says to people of which finding it is: viewers write its meaning beside a region, no more.

    The meaning annotates, value and scheme say what is meant (PS3.3 8.3).
    """
    return replace(code, meaning=fitted(f"{code.meaning} ({score.finding.name})", 64))


def _percent(name: Code, value: float, inferred_from: Sequence[sr.CoordinatesForMeasurement] = ()) -> sr.Measurement:
    return sr.Measurement(
        name=concept(name),
        value=value,
        unit=concept(codes.PERCENT),
        referenced_coordinates=inferred_from or None,
    )


def _corners(subject: _Subject, rows: int, columns: int) -> sr.CoordinatesForMeasurement:
    """Return the corners of the film, from the whole of which a score is inferred (TID 300, TID 320).

    Where one finding has a region, OHIF looks for coordinates of every other one, and shows nothing at all if one has
    none. Points have neither line nor label there: what is below its threshold points nowhere.
    """
    source = subject.header.text
    return sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.MULTIPOINT,
        graphic_data=np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float64),
        source_image=sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID),
    )


def _assessment(score: Score) -> sr.QualitativeEvaluation:
    value = codes.POSITIVE if score.above else codes.NEGATIVE
    return sr.QualitativeEvaluation(name=concept(codes.ASSESSMENT), value=concept(value))


def _visual_explanation(shown_by: ResultObject) -> sr.ImageContentItem:
    """Return where a reader sees why (TID 1410, CID 217)."""
    return sr.ImageContentItem(
        concept(codes.VISUAL_EXPLANATION), shown_by.sop_class_uid, shown_by.uid, relationship_type=CONTAINS
    )
