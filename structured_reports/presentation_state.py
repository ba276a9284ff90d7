"""The region as a contour over the source image: a Grayscale Softcopy Presentation State."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import AnnotationUnitsValues, GraphicLayer, GraphicObject, TextObject
from pydicom.dataset import Dataset

from inference.types import Prediction, Score
from structured_reports.envelope import PRESENTATION_STATE, envelope
from structured_reports.grayscale_state import add_grayscale, displayed_area
from structured_reports.header import SourceHeader, read_header
from structured_reports.image_library import references
from structured_reports.measurement_groups import tracking
from structured_reports.part10 import sealed
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import Region, regions_of
from structured_reports.secondary_capture import add_body_part
from structured_reports.selection import mapped_scores
from structured_reports.text import NOT_AN_OUTLINE, fitted, model_line, score_and_threshold, score_line
from structured_reports.typeset import AMBER

# Viewers write into the corners: the words stand in the middle of the lower edge, in shares of the displayed area
_WORDS = (0.18, 0.91, 0.82, 0.99)
_LONGEST = 1024  # VR ST (PS3.5 6.2)


def presentation_state(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return contours and words for what may be shown as a map; None where nothing may.

    References
    ----------
    * DICOM Standard, Part 3, A.33.1 (Grayscale Softcopy Presentation State IOD)
    """
    shown = mapped_scores(request)
    if not shown or not isinstance(request.outcome, Prediction) or request.display is None:
        return None
    header = read_header(request.source)
    dataset = envelope(request, header, PRESENTATION_STATE)
    add_body_part(dataset, request, header)
    _add_identification(dataset, request)
    dataset.ReferencedSeriesSequence = [_referenced_series(header)]
    layer = GraphicLayer("AI_RESULT", 1, display_color=CIELabColor.from_rgb(*AMBER))
    dataset.GraphicLayerSequence = [layer]
    dataset.GraphicAnnotationSequence = [_annotation(request, request.outcome, shown, header, layer)]
    dataset.DisplayedAreaSelectionSequence = [displayed_area(header, *request.display.shape)]
    add_grayscale(dataset, header)
    return sealed(PRESENTATION_STATE.kind, dataset, header)


def _add_identification(dataset: Dataset, request: ReportRequest) -> None:
    """Add the Presentation State Identification Module (PS3.3 C.11.10)."""
    # This IOD has dates of its own for its content
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = dataset.ContentDate, dataset.ContentTime
    del dataset.ContentDate, dataset.ContentTime
    dataset.ContentLabel = "AI_RESULT"
    dataset.ContentDescription = fitted(request.notice, 64)
    dataset.ContentCreatorName = None


def _referenced_series(header: SourceHeader) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = header.text.SeriesInstanceUID
    item.ReferencedImageSequence = references(header)
    return item


def _annotation(
    request: ReportRequest,
    prediction: Prediction,
    shown: tuple[Score, ...],
    header: SourceHeader,
    layer: GraphicLayer,
) -> Dataset:
    graphics: list[GraphicObject] = []
    texts = [TextObject(_words(request, prediction, shown), AnnotationUnitsValues.DISPLAY, bounding_box=_WORDS)]
    for score in shown:
        regions = regions_of(score.saliency) if score.saliency is not None else ()
        for number, region in enumerate(regions):
            graphics.append(_contour(prediction, score, header, region, number))
        texts += [_label(score, region) for region in regions[:1]]
    annotation = Dataset()
    annotation.ReferencedImageSequence = references(header)
    annotation.GraphicLayer = layer.GraphicLayer
    annotation.TextObjectSequence = texts
    annotation.GraphicObjectSequence = graphics
    return annotation


def _contour(prediction: Prediction, score: Score, header: SourceHeader, region: Region, number: int) -> GraphicObject:
    """Return a closed line in pixels; a region counts them from the same corner (PS3.3 C.10.5.1.2)."""
    named = tracking(prediction.card, score, header, number)
    return GraphicObject(
        "POLYLINE",
        region.points,
        AnnotationUnitsValues.PIXEL,
        tracking_id=named[0].TextValue,
        tracking_uid=named[1].UID,
    )


def _label(score: Score, region: Region) -> TextObject:
    """Return the name of a finding at the upper end of its main region."""
    column, row = region.points[np.argmin(region.points[:, 1])]
    return TextObject(
        f"AI {score.finding.name} {score_and_threshold(score)[0]}",
        AnnotationUnitsValues.PIXEL,
        anchor_point=(float(column), float(row)),
        anchor_point_visible=False,
    )


def _words(request: ReportRequest, prediction: Prediction, shown: tuple[Score, ...]) -> str:
    """Return the notice, what is above its threshold, and what the line is; CR LF ends a line (PS3.5 6.1.3)."""
    lines = [
        request.notice,
        *(score_line(score) for score in shown),
        f"line: 50 % of peak activation, {NOT_AN_OUTLINE} | {model_line(prediction.card)}",
    ]
    return fitted("\r\n".join(lines), _LONGEST)
