"""The film with its map, on the matrix of the film: measurable, and it hangs beside the source."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from inference.types import Prediction, Score
from structured_reports.colour import overlaid
from structured_reports.envelope import HEATMAP, code_item
from structured_reports.header import SourceHeader, read_header
from structured_reports.part10 import sealed
from structured_reports.port import ReportRequest, ResultObject
from structured_reports.regions import regions_of
from structured_reports.secondary_capture import secondary_capture
from structured_reports.selection import mapped_scores
from structured_reports.text import NOT_AN_OUTLINE, model_line, score_and_threshold, verdict
from structured_reports.typeset import (
    GREY,
    NOTICE_YELLOW,
    WHITE,
    Colour,
    centred,
    fitting_size,
    outline,
    png,
)  # fmt: skip

_BAND = 0.085  # of the height
_BAND_LIGHT = 0.3  # of the film below the band
_TEXT_WIDTH = 0.64  # viewers write into the corners
_PICTURE_SIDE = 1024
_BOLD_FROM = 14  # pixels: below, a stroke closes the letters


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
    for region in regions_of(score.saliency):
        outline(picture, region, (1.0, 1.0), thickness)
    _write_band(picture, _band_lines(request, score))
    return picture


def _band_lines(request: ReportRequest, score: Score) -> list[tuple[str, Colour, float]]:
    """Return words, colour and share of the band of each line."""
    found, threshold = score_and_threshold(score)
    model = model_line(request.outcome.card) if isinstance(request.outcome, Prediction) else ""
    return [
        (request.notice, NOTICE_YELLOW, 0.30),
        (
            f"{score.finding.name.capitalize()} score {found}   threshold {threshold}   {verdict(score)}",
            WHITE,
            0.26,
        ),
        (f"colour: relative activation, line: 50 % of peak - {NOT_AN_OUTLINE}   |   {model}", GREY, 0.22),
    ]


def _write_band(picture: NDArray[np.uint8], lines: list[tuple[str, Colour, float]]) -> None:
    """Darken the lowest part of the picture and write into its middle."""
    rows, columns = picture.shape[:2]
    top = rows - max(round(_BAND * rows), 1)
    band = np.ascontiguousarray(cv2.convertScaleAbs(picture[top:], alpha=_BAND_LIGHT))
    image = Image.fromarray(band)
    draw = ImageDraw.Draw(image)
    height = rows - top
    for place, (words, colour, share) in zip((0.21, 0.53, 0.82), lines, strict=True):
        size = fitting_size(words, max(round(share * height), 1), _TEXT_WIDTH * columns, smallest=1)
        centred(
            draw,
            words,
            (columns / 2, place * height),
            size,
            colour,
            bold=colour != GREY and size >= _BOLD_FROM,
        )
    picture[top:] = np.asarray(image)


def _copy_grid(dataset: Dataset, header: SourceHeader) -> None:
    """Say that every pixel is where it was in the source."""
    dataset.SourceImageSequence[0].SpatialLocationsPreserved = "YES"
    orientation = header.get("PatientOrientation")
    if orientation and len(orientation) == 2:
        dataset.PatientOrientation = list(orientation)
    spacing = header.get("PixelSpacing")
    # Films with a spacing of 0.000 exist; a viewer would measure zero
    if spacing and len(spacing) == 2 and min(float(value) for value in spacing) > 0:
        dataset.PixelSpacing = list(spacing)
    if header.get("LossyImageCompression") in ("00", "01"):
        dataset.LossyImageCompression = header.text.LossyImageCompression
