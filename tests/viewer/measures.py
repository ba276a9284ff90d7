"""What a picture of the viewport shows, in numbers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.viewer.ohif import View

Box = tuple[float, float, float, float]
_SIDE = 64


def left_share(picture: NDArray[np.uint8], coloured: NDArray[np.bool_]) -> float:
    """Return the share of coloured pixels in the left half of a picture."""
    assert coloured.any(), "nothing coloured is shown"
    return float(coloured[:, : picture.shape[1] // 2].sum() / coloured.sum())


def line_colour(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where the green line of a region is."""
    red, green, blue = (picture[..., part].astype(int) for part in range(3))
    return np.asarray((green - red > 60) & (green - blue > 60))


def heat_colour(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a heatmap is warm, without the band of text below it."""
    warm = picture[..., 0].astype(int) - picture[..., 2].astype(int) > 60
    warm[int(0.8 * len(warm)) :] = False
    return np.asarray(warm)


def film_area(picture: NDArray[np.uint8], film: NDArray[np.uint8]) -> Box:
    """Return left, top, right and bottom of a film that fills the viewport and keeps its proportions."""
    (height, width), (rows, columns) = picture.shape[:2], film.shape
    scale = min(height / rows, width / columns)
    left, top = (width - scale * columns) / 2, (height - scale * rows) / 2
    return left, top, left + scale * columns, top + scale * rows


def likeness(view: View, film: NDArray[np.uint8]) -> float:
    """Return the correlation of what is shown with a film, -1 to 1."""
    left, top, right, bottom = (round(value) for value in film_area(view.picture, film))
    shown = cv2.cvtColor(view.picture[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    small = [cv2.resize(one, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel() for one in (shown, film)]
    return float(np.corrcoef(small)[0, 1])


def covered(view: View, page: NDArray[np.uint8], rows: slice) -> float:
    """Return the share of the drawn pixels in some rows of a page that a viewer shows dark."""
    left, top, right, bottom = (round(value) for value in film_area(view.picture, page))
    shown = cv2.cvtColor(view.picture[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    drawn = cv2.resize(page, shown.shape[::-1], interpolation=cv2.INTER_AREA)
    scale = len(drawn) / len(page)
    part = slice(round(rows.start * scale), round(rows.stop * scale))
    letters = drawn[part] > 128
    # A viewer rounds and smooths otherwise than this does: a letter may lie some pixels beside
    near = cv2.dilate(shown, np.ones((5, 5), np.uint8))
    return float((near[part][letters] < 96).mean())


def on_film(view: View, film: NDArray[np.uint8]) -> list[Box]:
    """Return the contours that are shown, in pixels of the film."""
    left, top, right, _ = film_area(view.picture, film)
    scale = (right - left) / film.shape[1]
    return [((x0 - left) / scale, (y0 - top) / scale, (x1 - left) / scale, (y1 - top) / scale)
            for x0, y0, x1, y1 in view.contours]  # fmt: skip
