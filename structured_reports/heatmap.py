"""The film with its map, on the matrix of the film: measurable, and it hangs beside the source."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.types import Prediction, Score
from structured_reports.colour import overlaid
from structured_reports.envelope import HEATMAP, code_item
from structured_reports.header import SourceHeader, read_header
from structured_reports.heatmap_band import write_band
from structured_reports.part10 import sealed
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import regions_of
from structured_reports.secondary_capture import secondary_capture
from structured_reports.selection import mapped_scores
from structured_reports.spacing import directions, pair_of, pixel_aspect
from structured_reports.text import NOT_AN_OUTLINE
from structured_reports.typeset import outline, png

_PICTURE_SIDE = 1024


def heatmap(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject | None:
    """Return the overlay of the leading finding; None below its threshold, without a map, or if off."""
    shown = mapped_scores(request)
    if not shown or not isinstance(request.outcome, Prediction):
        return None
    header = read_header(request.source)
    picture = heatmap_picture(request, shown[0])
    finding = shown[0].finding.name
    dataset = secondary_capture(
        request,
        header,
        HEATMAP,
        picture,
        f"Relative activation of {finding} over the source image, {NOT_AN_OUTLINE}",
    )
    if request.outcome.card.explanation is not None:
        dataset.DerivationCodeSequence = [code_item(request.outcome.card.explanation)]
    _copy_grid(dataset, header)
    return sealed(HEATMAP.kind, dataset, header, png(picture, _PICTURE_SIDE))


def heatmap_picture(request: ReportRequest, score: Score) -> NDArray[np.uint8]:
    """Return film, colour, line and text, (rows, columns, 3)."""
    if request.display is None or score.saliency is None:
        raise ValueError("a heatmap needs a film and a map")
    picture = overlaid(request.display, score.saliency)
    thickness = max(1, round(2 * min(picture.shape[:2]) / 900))
    regions = regions_of(score.saliency)
    write_band(picture, request, score, regions, thickness + 1)
    for region in regions:  # last, so that a line shows even where there was no other place for the words
        outline(picture, region, (1.0, 1.0), thickness)
    return picture


def _copy_grid(dataset: Dataset, header: SourceHeader) -> None:
    """Say that every pixel is where it was in the source."""
    dataset.SourceImageSequence[0].SpatialLocationsPreserved = "YES"
    dataset.PatientOrientation = directions(header)
    _copy_spacing(dataset, header)


def _copy_spacing(dataset: Dataset, header: SourceHeader) -> None:
    """Say how large a pixel is, or at least in which proportion, by what a Secondary Capture may say of it.

    It has no ImagerPixelSpacing. The distance in the plane of the detector is one on the medium, not in the body, and
    that is what NominalScannedPixelSpacing says (PS3.3 C.8.6.2, 10.7.1).
    """
    if pair_of(header, "PixelSpacing") is not None:
        dataset.PixelSpacing = list(header.text.PixelSpacing)
        return
    for keyword in ("ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if pair_of(header, keyword) is not None:
            dataset.NominalScannedPixelSpacing = list(header.text[keyword].value)
            return
    ratio = Fraction(pixel_aspect(header)).limit_denominator(1000)
    if ratio != 1:
        dataset.PixelAspectRatio = [ratio.numerator, ratio.denominator]  # PS3.3 C.7.6.3.1.7
