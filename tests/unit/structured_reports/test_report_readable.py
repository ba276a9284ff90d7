"""Whether people can read the pictures: contrast, size of the words, colours as colour-blind readers see them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from structured_reports import typeset
from structured_reports.colour import INFERNO_CUT, overlaid
from structured_reports.header import read_header
from structured_reports.heatmap import heatmap_picture
from structured_reports.summary import summary_picture
from tests.unit.structured_reports.vision import VISIONS, contrast, difference

LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3 (AA)
# Three times what an eye just notices (2.3 in CIELAB: Mahy, Color Research & Application 19, 1994): side by side, soft
# edges and all
LEAST_DIFFERENCE = 6.9
# The viewport of OHIF on a screen 1600 wide and 1000 high, where the page is fitted into it
VIEWPORT = (1276, 942)
GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
PICTURES = (
    "summary above",
    "summary of many",
    "summary below",
    "summary refused",
    "heatmap on black",
    "heatmap on white",
)


@pytest.fixture
def picture_of(score_of, request_of):
    """Return a function that makes a picture of `PICTURES`."""

    def make(name: str, shape: tuple[int, int] = (1000, 820), model: str = "test-model") -> np.ndarray:
        saliency = np.ones(shape, np.float32)  # the peak everywhere, below the words too
        scores = {
            "summary below": [score_of(0.4)],
            "summary refused": [],
            "summary of many": [score_of(0.9, saliency=saliency, name=f"finding {n}") for n in range(18)],
        }.get(name, [score_of(0.9, saliency=saliency)])
        request = request_of(*scores)
        if not scores:
            return summary_picture(request, read_header(request.source))
        film = np.full(request.display.shape, 255 if "white" in name else 0, np.uint8)
        card = replace(request.outcome.card, name=model)
        request = replace(request, display=film, outcome=replace(request.outcome, card=card))
        if name.startswith("heatmap"):
            return heatmap_picture(request, scores[0])
        return summary_picture(request, read_header(request.source))

    return make


@pytest.mark.parametrize("name", PICTURES)
def test_all_words_stand_out_from_what_is_behind_them(name, picture_of, written, unwritten) -> None:
    picture = picture_of(name)
    behind = unwritten(lambda: picture_of(name))
    assert written
    for one in written:
        left, top, right, bottom = one.box
        box = np.s_[top:bottom, left + picture.shape[1] // 2 : right + picture.shape[1] // 2]
        assert (picture[box] == one.colour).all(axis=-1).any(), f"{one.words!r} is not drawn in its colour"
        assert contrast(one.colour, behind[box]).min() >= LEAST_CONTRAST, one.words


def _capitals(size: float) -> float:
    """Return how high capitals are, in pixels, as they are drawn."""
    sample = np.zeros((400, 400), np.uint8)
    image = typeset.Image.fromarray(sample)
    typeset.ImageDraw.Draw(image).text((50, 50), "H", fill=255, font=typeset.font(200))
    rows = np.nonzero(np.asarray(image).any(axis=1))[0]
    return size * (rows[-1] - rows[0] + 1) / 200


@pytest.mark.parametrize("name", [name for name in PICTURES if name.startswith("summary")])
def test_the_words_of_a_page_are_large_enough_in_full_and_in_a_viewer(name, picture_of, written) -> None:
    page = picture_of(name)
    shown = min(VIEWPORT[0] / page.shape[1], VIEWPORT[1] / page.shape[0])

    smallest = min(one.size for one in written)
    assert smallest >= 22
    assert _capitals(smallest) >= 15
    assert _capitals(smallest) * shown >= 10


@pytest.mark.parametrize("model", ["m", "a-model-with-a-name-as-long-as-its-maker-likes-" * 2])
@pytest.mark.parametrize("shape", [(2500, 2048), (1024, 1024), (2048, 2500)])
def test_the_words_of_a_heatmap_are_large_enough_where_films_hang_side_by_side(
    shape, model, picture_of, written
) -> None:
    picture_of("heatmap on black", shape, model)

    notice_and_score = min(one.size for one in written if one.colour != typeset.GREY)
    assert _capitals(notice_and_score) * 300 / min(shape) >= 6
    assert _capitals(min(one.size for one in written)) * 400 / min(shape) >= 6


def test_the_notice_is_read_in_a_heatmap_400_pixels_wide(picture_of, unwritten) -> None:
    """What shrinking leaves of the strokes still stands out."""
    shrunk = [
        cv2.resize(picture, (400, 488), interpolation=cv2.INTER_AREA)[-80:]
        for picture in (picture_of("heatmap on white", (2500, 2048)), _bare(picture_of, unwritten))
    ]

    strokes = contrast(shrunk[0], shrunk[1])
    assert np.percentile(strokes[strokes > 1.5], 75) >= 3.0  # WCAG 2.2, 1.4.11: shapes


def _bare(picture_of, unwritten) -> np.ndarray:
    return unwritten(lambda: picture_of("heatmap on white", (2500, 2048)))


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("level", np.linspace(0.5, 1.0, 11))
def test_the_map_differs_from_any_film_from_its_line_up_to_its_peak(level, vision) -> None:
    assert difference(_mapped(level), GREYS, vision).min() >= LEAST_DIFFERENCE


@pytest.mark.parametrize("vision", VISIONS)
def test_the_peak_of_the_map_differs_from_its_edge(vision) -> None:
    assert difference(_mapped(0.5), _mapped(1.0), vision).min() >= LEAST_DIFFERENCE


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("level", [0.0, *np.linspace(0.25, 1.0, 7)])
def test_the_line_differs_from_film_and_map_below_it(level, vision) -> None:
    assert difference(_mapped(level), [typeset.AMBER], vision).min() >= 2 * LEAST_DIFFERENCE


@pytest.mark.parametrize("vision", VISIONS)
def test_the_steps_of_the_legend_differ_from_each_other(vision) -> None:
    steps = INFERNO_CUT[[0, 64, 128, 192, 255]]

    assert min(difference(one, other, vision) for one, other in combinations(steps, 2)) >= 2 * LEAST_DIFFERENCE


@pytest.mark.parametrize("vision", VISIONS)
def test_a_verdict_above_the_threshold_differs_from_one_below_by_more_than_its_words(vision) -> None:
    assert difference(typeset.AMBER, typeset.WHITE, vision) >= 2 * LEAST_DIFFERENCE


def _mapped(level: float) -> np.ndarray:
    """Return what a map of `level` of its peak makes of each of the 256 greys of a film."""
    saliency = np.tile(np.array([level, 1.0], np.float32), (256, 1))
    return overlaid(np.ascontiguousarray(GREYS[:, :2]), saliency)[:, 0]
