"""What is drawn, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.types import Familiarity, ReferenceCase
from structured_reports import summary_films, summary_verdict, typeset
from structured_reports.colour import INFERNO_CUT, opacity, overlaid
from structured_reports.header import read_header
from structured_reports.heatmap import heatmap, heatmap_picture
from structured_reports.summary import SMALLEST_TEXT, summary_picture
from structured_reports.summary_context import context_lines


def _colourful(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture.astype(int), axis=2) > 20


def test_colour_lies_on_the_side_of_the_map(square, score_of, request_of) -> None:
    score = score_of(0.9, saliency=square)

    coloured = _colourful(heatmap_picture(request_of(score), score)[:180])

    assert (coloured[:, :150].sum(), np.nonzero(coloured)[1].min()) > (0, 200 - 4)


def test_the_film_is_untouched_where_the_map_is_below_a_quarter_of_its_peak(square) -> None:
    film = np.arange(200 * 300, dtype=np.uint8).reshape(200, 300)
    square[100:, :] = 0.24

    assert np.array_equal(film[100:], overlaid(film, square)[100:, :, 0])


def test_a_map_is_scaled_to_its_own_peak(square) -> None:
    film = np.full((200, 300), 100, np.uint8)

    assert np.array_equal(overlaid(film, square), overlaid(film, square * np.float32(0.25)))


def test_the_colour_table_grows_lighter_with_the_value() -> None:
    lightness = INFERNO_CUT @ np.array([0.2126, 0.7152, 0.0722])

    assert (np.diff(lightness) > -1).all()


def test_anatomy_stays_visible_under_the_peak() -> None:
    assert pytest.approx(opacity().max()) == 0.45


def test_the_corners_of_the_heatmap_are_left_to_the_viewer(square, score_of, request_of) -> None:
    score = score_of(0.9, saliency=square)

    band = heatmap_picture(request_of(score), score)[-17:]

    assert np.ptp(np.concatenate([band[:, :54], band[:, -54:]], axis=1)) == 0


@pytest.mark.parametrize(("value", "switch"), [(0.4, True), (0.9, False)])
def test_no_heatmap_below_the_threshold_or_switched_off(value, switch, square, score_of, request_of) -> None:
    assert heatmap(request_of(score_of(value, saliency=square), heatmap=switch), {}) is None


@pytest.mark.parametrize(("value", "switch"), [(0.4, True), (0.9, False)])
def test_the_summary_shows_no_map_below_the_threshold_or_switched_off(
    value, switch, square, score_of, request_of
) -> None:
    request = request_of(score_of(value, saliency=square), heatmap=switch)

    films = summary_picture(request, read_header(request.source))[200:808]

    assert not _colourful(films).any()


@pytest.mark.parametrize("value", [0.1, 0.9, None])
def test_no_text_of_the_summary_is_smaller_than_22_pixels(value, square, score_of, request_of, monkeypatch) -> None:
    sizes = []
    real = typeset._draw
    monkeypatch.setattr(typeset, "_draw", lambda *a, **k: (sizes.append(a[3]), real(*a, **k)))
    request = request_of(*([] if value is None else [score_of(value, saliency=square)]), notice="LONG " * 60)

    summary_picture(request, read_header(request.source))

    assert min(sizes) >= SMALLEST_TEXT


def test_a_film_keeps_the_proportions_of_the_body(header, score_of, request_of) -> None:
    header.PixelSpacing = [0.4, 0.2]  # a row is twice as high as a column is wide

    assert summary_films._page_size(
        np.zeros((300, 400), np.uint8), summary_films.pixel_aspect(read_header(header))
    ) == (405, 608)


def test_a_spacing_of_zero_is_no_spacing(header) -> None:
    header.PixelSpacing = [0, 0]

    assert summary_films.pixel_aspect(read_header(header)) == 1.0


def test_the_patient_is_not_drawn(header, score_of, request_of) -> None:
    request = request_of(score_of(0.1))
    before = summary_picture(request, read_header(header))
    header.PatientName, header.PatientID, header.AccessionNumber = "Other^Name", "OTHER", "OTHER"

    assert np.array_equal(before, summary_picture(request, read_header(header)))


def test_the_page_says_so_if_nothing_was_read(request_of, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(typeset, "_draw", lambda draw, words, *a, **k: drawn.append(words))
    request = request_of()

    summary_picture(request, read_header(request.source))

    assert {"AI NOT PERFORMED", "No chest film.", "reason code: NOT_A_CHEST_FILM"} <= set(drawn)


@pytest.mark.parametrize("most", [1, 2])
def test_words_that_are_cut_stay_in_their_width(most) -> None:
    lines = typeset.wrapped("some words of a long statement " * 9, 22, 300, most)

    assert max(typeset.width_of(line, 22) for line in lines) <= 300


def test_a_long_verdict_stays_on_the_page(score_of) -> None:
    words = "X" * 400

    size = typeset.fitting_size(words, 38, summary_verdict._WIDEST, 1)

    assert typeset.width_of(words, size) <= summary_verdict._WIDEST


def _with_context(request):
    nearest = (ReferenceCase("NIH ChestX-ray14 00000075_000.png", "pneumonia", 0.93),)
    card = replace(request.outcome.card, references=("Doe et al., Films, 2020",))
    outcome = replace(request.outcome, card=card, familiarity=Familiarity(0.42, "", nearest))
    return replace(request, outcome=outcome)


def test_the_page_says_how_like_the_film_is_to_those_that_the_model_knows(score_of, request_of) -> None:
    lines = context_lines(_with_context(request_of(score_of(0.4))).outcome, 1480)

    assert "Distance 0.42 from the films that the model knows (1.00 = the edge of what the model accepts)" in lines
    assert any("pneumonia (NIH ChestX-ray14 00000075_000.png, similarity 0.93)" in line for line in lines)
    assert "Literature: Doe et al., Films, 2020" in lines


def test_what_the_film_is_like_takes_room_of_its_own(score_of, request_of) -> None:
    request = request_of(score_of(0.4))
    header = read_header(request.source)
    without, within = summary_picture(request, header), summary_picture(_with_context(request), header)

    added = len(within) - len(without)
    assert added > 0
    assert np.array_equal(without[:914], within[:914])
    assert np.array_equal(without[914:], within[914 + added :])
    assert within[914 : 914 + added].any()
