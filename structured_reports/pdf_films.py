"""The film on the printable page and, above the threshold, the film with its map beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.types import Prediction
from structured_reports.header import SourceHeader
from structured_reports.pdf_paper import DARK, MARGIN_MM, WIDTH_MM, Paper
from structured_reports.port import ReportRequest
from structured_reports.selection import mapped_scores
from structured_reports.shrink import shrunk
from structured_reports.spacing import pixel_aspect
from structured_reports.summary_films import mapped
from structured_reports.text import NOT_AN_OUTLINE

_GAP = 6.0
_HALF = (WIDTH_MM - 2 * MARGIN_MM - _GAP) / 2
_CAPTIONS = 10.0  # two lines below a film
_PER_MM = 200 / 25.4  # pixels: what a printer shows of a grayscale film


def draw_films(
    paper: Paper, request: ReportRequest, prediction: Prediction, header: SourceHeader, top: float, bottom: float
) -> None:
    """Draw between `top` and `bottom`, in the proportions of the body."""
    if request.display is None:
        raise ValueError("a prediction needs its film")
    shown = mapped_scores(request)
    width, height = _size(request.display, pixel_aspect(header), _HALF, bottom - top - _CAPTIONS)
    film = _reduced(request.display, width, height)
    left, right = MARGIN_MM + _HALF / 2, WIDTH_MM - MARGIN_MM - _HALF / 2
    at = left if shown else WIDTH_MM / 2
    paper.picture(Image.fromarray(film), at - width / 2, top, width, height)
    below = top + height + 4.5
    what = "Source image" if request.slices is None else request.slices.place
    paper.centred(f"{what} (unchanged, reduced)", at, below, 8.5)
    if shown:
        paper.picture(Image.fromarray(mapped(film, shown[0])), right - width / 2, top, width, height)
        paper.centred(f"AI activation map: {shown[0].finding.name}", right, below, 8.5)
        paper.centred(f"line: 50 % of peak activation, {NOT_AN_OUTLINE}", right, below + 4, 7.5, grey=DARK)


def _size(film: NDArray[np.uint8], aspect: float, widest: float, highest: float) -> tuple[float, float]:
    """Return width and height in millimeters."""
    rows, columns = film.shape
    scale = min(highest / (rows * aspect), widest / columns)
    return columns * scale, rows * aspect * scale


def _reduced(film: NDArray[np.uint8], width: float, height: float) -> NDArray[np.uint8]:
    """Return the film with as many pixels as are printed, never more than it has."""
    rows, columns = film.shape
    pixels = min(width * _PER_MM, columns), min(height * _PER_MM, rows)
    # One factor for both, so that pixels stay as the page shows them
    per_mm = min(pixels[0] / width, pixels[1] / height)
    size = max(1, round(width * per_mm)), max(1, round(height * per_mm))
    return shrunk(film, *size)
