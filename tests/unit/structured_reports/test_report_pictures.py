"""What is drawn, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.models import DEFAULT_MODEL, load_model
from inference.types import Familiarity, ReferenceCase
from structured_reports import spacing, summary_films, typeset
from structured_reports.colour import INFERNO_CUT, opacity, overlaid
from structured_reports.header import read_header
from structured_reports.heatmap import heatmap, heatmap_picture
from structured_reports.port import Refusal
from structured_reports.regions import covered, regions_of
from structured_reports.summary import summary_picture
from structured_reports.summary_layout import BETWEEN_CORNERS, CLEAR_ABOVE, CLEAR_BELOW, HEIGHT, SMALLEST_TEXT, WIDTH


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

    request = request_of(score)
    picture, bare = heatmap_picture(request, score), overlaid(request.display, square)

    assert np.array_equal(picture[-60:, :50], bare[-60:, :50])
    assert np.array_equal(picture[-60:, -50:], bare[-60:, -50:])
    assert not np.array_equal(picture[-17:], bare[-17:])


def _hill(shape: tuple[int, int], down: float, radius: float = 0.06, across: float = 0.55) -> np.ndarray:
    """Return a map whose region lies around a place, in shares of rows and columns."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    hill = np.exp(-(((x / shape[1] - across) / radius) ** 2) - ((y / shape[0] - down) / radius) ** 2)
    return np.asarray(hill / hill.max(), np.float32)


def _without_words(request, score) -> tuple[np.ndarray, np.ndarray]:
    """Return the film with colour, and with colour and lines."""
    coloured = overlaid(request.display, score.saliency)
    lined = coloured.copy()
    for region in regions_of(score.saliency):
        typeset.outline(lined, region, (1.0, 1.0), max(1, round(2 * min(coloured.shape[:2]) / 900)))
    return coloured, lined


@pytest.mark.parametrize("shape", [(1250, 1024), (900, 900), (700, 1400)])
@pytest.mark.parametrize("places", [(0.9,), (0.86,), (0.97,), (0.8,), (0.15,), (0.03,), (0.9, 0.15), (0.9, 0.5, 0.1)])
def test_no_word_covers_a_region_wherever_it_lies(places, shape, score_of, request_of) -> None:
    saliency = np.max([_hill(shape, down) for down in places], axis=0)
    score = score_of(0.9, saliency=saliency)
    request = request_of(score)
    coloured, lined = _without_words(request, score)
    seen = covered(saliency) | (coloured != lined).any(axis=2)

    picture = heatmap_picture(request, score)

    assert np.array_equal(lined[seen], picture[seen])
    assert not np.array_equal(lined, picture)


def test_the_line_of_a_region_that_leaves_no_place_for_words_is_drawn_over_them(score_of, request_of) -> None:
    score = score_of(0.9, saliency=_hill((900, 900), 0.5, radius=0.5))
    request = request_of(score)
    _, lined = _without_words(request, score)
    (line,) = np.nonzero((lined == typeset.AMBER).all(axis=2).ravel())

    picture = heatmap_picture(request, score)

    assert np.array_equal(lined.reshape(-1, 3)[line], picture.reshape(-1, 3)[line])


@pytest.mark.parametrize(("down", "begins"), [(0.5, 0.75), (0.9, CLEAR_ABOVE - 0.01)])
def test_the_words_stand_at_the_lower_edge_or_below_what_a_viewer_keeps_of_the_upper(
    down, begins, score_of, request_of
) -> None:
    score = score_of(0.9, saliency=_hill((1250, 1024), down))
    request = request_of(score)
    _, lined = _without_words(request, score)

    changed = np.flatnonzero((lined != heatmap_picture(request, score)).any(axis=(1, 2)))

    assert changed[0] > begins * 1250
    assert changed[-1] == 1249 or changed[-1] < 0.35 * 1250


@pytest.mark.parametrize(("value", "switch"), [(0.4, True), (0.9, False)])
def test_no_heatmap_below_the_threshold_or_switched_off(value, switch, square, score_of, request_of) -> None:
    assert heatmap(request_of(score_of(value, saliency=square), heatmap=switch), {}) is None


@pytest.mark.parametrize(("value", "switch"), [(0.4, True), (0.9, False)])
def test_the_summary_shows_no_map_below_the_threshold_or_switched_off(
    value, switch, square, score_of, request_of
) -> None:
    request = request_of(score_of(value, saliency=square), heatmap=switch)

    page = summary_picture(request, read_header(request.source))
    score_and_notice = 290

    assert not _colourful(page[score_and_notice:]).any()


@pytest.mark.parametrize("value", [0.1, 0.9, None])
def test_a_long_notice_is_wrapped_not_made_small_or_cut(value, square, score_of, request_of, written) -> None:
    notice = "LONG " * 60
    request = request_of(*([] if value is None else [score_of(value, saliency=square)]), notice=notice)

    summary_picture(request, read_header(request.source))

    assert min(one.size for one in written) >= SMALLEST_TEXT
    assert notice.split() == [word for one in written if one.words.startswith("LONG") for word in one.words.split()]


def test_a_film_keeps_the_proportions_of_the_body(header, score_of, request_of) -> None:
    header.PixelSpacing = [0.4, 0.2]  # a row is twice as high as a column is wide

    assert summary_films._page_size(np.zeros((300, 400), np.uint8), spacing.pixel_aspect(read_header(header))) == (
        373,
        560,
    )


def test_the_patient_is_not_drawn(header, square, score_of, request_of) -> None:
    score = score_of(0.9, saliency=square)
    request = request_of(score)
    before = summary_picture(request, read_header(header)), heatmap_picture(request, score)
    header.PatientName, header.PatientID, header.AccessionNumber = "Other^Name", "OTHER", "OTHER"
    header.PatientBirthDate, header.PatientSex, header.ReferringPhysicianName = "19510203", "F", "Other^Doctor"

    after = summary_picture(request, read_header(header)), heatmap_picture(request, score)

    assert all(map(np.array_equal, before, after))


def test_no_word_of_a_picture_comes_from_the_identity_of_the_patient(
    header, square, score_of, request_of, written
) -> None:
    header.PatientName, header.PatientID, header.AccessionNumber = "Wxyzname^Jane", "ID-4711", "ACC-4712"
    header.StudyDescription, header.StudyID, header.OtherPatientNames = "Wxyzstudy", "ST-4713", "Wxyzother^Jane"
    header.ViewPosition = "PA WXYZ JANE"
    score = score_of(0.9, saliency=square)
    for request in (request_of(score), request_of(score_of(0.1)), request_of()):
        summary_picture(request, read_header(header))
    heatmap_picture(request_of(score), score)

    drawn = " ".join(one.words for one in written)
    assert "Pneumonia" in drawn
    assert "PA" in drawn.replace(",", "").split()
    assert [] == [part for part in ("Wxyz", "4711", "4712", "4713", "Jane") if part.lower() in drawn.lower()]


def test_the_page_says_so_if_nothing_was_read(request_of, written) -> None:
    request = request_of()

    summary_picture(request, read_header(request.source))

    assert {"AI NOT PERFORMED", "No chest film.", "reason code: NOT_A_CHEST_FILM"} <= {one.words for one in written}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("no-model", "No AI model has looked at this study."),
        ("unfamiliar", "A model has looked at this study and gives no result."),
        ("not-finite", "A model has looked at this study and gives no result."),
        ("hang", "A model began to look at this study and was stopped before its answer."),
        ("modality", "There is no AI result of this study."),
    ],
)
def test_a_refusal_claims_of_the_models_only_what_is_true(code, said, request_of, written) -> None:
    request = request_of(outcome=Refusal(code, "a reason"), display=None)

    summary_picture(request, read_header(request.source))

    assert f"{said} The images are to be read as always." in [one.words for one in written]


def _long_findings(score_of, saliency, number: int) -> list:
    long = "finding with a name that is as long as those of no vocabulary that anybody has ever read aloud, number"
    return [score_of(0.6 + 0.001 * n, saliency=saliency, name=f"{long} {n}x") for n in range(number)]


@pytest.mark.parametrize("number", [2, 18, 60])
def test_every_finding_above_its_threshold_is_named_with_its_score(
    number, square, score_of, request_of, written
) -> None:
    request = request_of(*_long_findings(score_of, square, number))

    page = summary_picture(request, read_header(request.source))

    drawn = " ".join(one.words for one in written)
    assert [] == [n for n in range(number) if f"{n}x" not in drawn]
    assert number - 1 == drawn.count("(threshold 50") - 1
    assert "..." not in drawn
    assert [] == [one.words for one in written if not _on_page(one, page)]
    assert [] == _overlapping(written)


def _on_page(one, page) -> bool:
    left, top, right, bottom = one.box
    half = WIDTH // 2 - 40
    return -half <= left and right <= half and (CLEAR_ABOVE - 1) * len(page) <= top and bottom <= -CLEAR_BELOW


def _below_the_cine_control(page: np.ndarray) -> int:
    """Return the row of a page at which the control of OHIF ends, where the page is fitted into its viewport."""
    columns, rows, end_of_control = 1276, 942, 84
    scale = min(columns / page.shape[1], rows / len(page))
    return int((end_of_control - (rows - scale * len(page)) / 2) / scale)


def _overlapping(written) -> list:
    return [
        (one.words, other.words)
        for number, one in enumerate(written)
        for other in written[:number]
        if one.box[0] < other.box[2] and other.box[0] < one.box[2]
        and one.box[1] < other.box[3] and other.box[1] < one.box[3]
    ]  # fmt: skip


def test_what_is_below_its_threshold_is_named_too(square, score_of, request_of, written) -> None:
    request = request_of(score_of(0.9, saliency=square), score_of(0.1, name="effusion"))

    summary_picture(request, read_header(request.source))

    assert "Below threshold: effusion 10 % (threshold 50 %)" in [one.words for one in written]


def test_the_map_says_of_which_finding_it_is(square, score_of, request_of, written) -> None:
    request = request_of(score_of(0.7, saliency=square), score_of(0.9, saliency=square, name="effusion"))

    summary_picture(request, read_header(request.source))

    assert "AI activation map: effusion" in [one.words for one in written]


def test_a_long_model_name_leaves_the_time_on_the_page(score_of, request_of, written) -> None:
    request = request_of(score_of(0.1))
    card = replace(request.outcome.card, name="model-" * 40)
    request = replace(request, outcome=replace(request.outcome, card=card))

    page = summary_picture(request, read_header(request.source))

    drawn = [one.words for one in written]
    assert any(words.startswith("2026-01-02 03:04") for words in drawn)
    assert card.name in "".join(drawn)
    assert [] == [one.words for one in written if not _on_page(one, page)]


@pytest.mark.parametrize("findings", [0, 1, 18, 60])
def test_what_viewers_write_over_is_left_to_them(findings, square, score_of, request_of, written) -> None:
    request = request_of(*[score_of(0.9, saliency=square, name=f"finding {n}") for n in range(findings)])

    page = summary_picture(request, read_header(request.source))

    footer = [one for one in written if one.box[1] > -0.08 * len(page)]
    assert footer
    assert not page[: _below_the_cine_control(page)].any()
    assert [] == [one.words for one in footer if max(-one.box[0], one.box[2]) > BETWEEN_CORNERS / 2]


@pytest.mark.parametrize("model", ["m", "model-" * 20])
def test_nothing_on_a_heatmap_is_cut(model, score_of, request_of, written) -> None:
    score = score_of(0.9, saliency=np.ones((1000, 820), np.float32), name="finding with a long name " * 4)
    request = request_of(score)
    request = replace(request, outcome=replace(request.outcome, card=replace(request.outcome.card, name=model)))

    heatmap_picture(request, score)

    drawn = "".join(one.words for one in written).replace(" ", "")
    for words in (request.notice, score.finding.name.strip().capitalize(), "not a lesion outline", model):
        assert words.replace(" ", "") in drawn
    assert [] == [one.words for one in written if max(-one.box[0], one.box[2]) > 0.32 * 820 + 1]


@pytest.mark.parametrize("most", [1, 2])
def test_words_that_are_cut_stay_in_their_width(most) -> None:
    lines = typeset.wrapped("some words of a long statement " * 9, 22, 300, most)

    assert max(typeset.width_of(line, 22) for line in lines) <= 300


def test_a_word_that_is_longer_than_a_line_is_broken() -> None:
    lines = typeset.wrapped("short " + "W" * 100 + " end", 22, 300)

    assert max(typeset.width_of(line, 22) for line in lines) <= 300
    assert "short" + "W" * 100 + "end" == "".join(lines).replace(" ", "")


@pytest.mark.parametrize("name", ["X" * 400, "words " * 60])
def test_a_long_verdict_stays_whole_on_the_page(name, score_of, request_of, written) -> None:
    request = request_of(score_of(0.1, name=name))

    page = summary_picture(request, read_header(request.source))

    assert name.capitalize().replace(" ", "") in "".join(one.words for one in written).replace(" ", "")
    assert [] == [one.words for one in written if not _on_page(one, page)]


def _with_context(request):
    nearest = (ReferenceCase("NIH ChestX-ray14 00000075_000.png", "pneumonia", 0.93),)
    told = request.outcome
    scores = tuple(
        replace(one, finding=replace(one.finding, references=("Doe et al., Films, 2020",))) for one in told.scores
    )
    card = replace(told.card, findings=tuple(one.finding for one in scores))
    outcome = replace(told, card=card, scores=scores, familiarity=Familiarity(0.42, "", nearest))
    return replace(request, outcome=outcome)


def test_the_page_says_how_like_the_film_is_to_those_that_the_model_knows(score_of, request_of, written) -> None:
    request = _with_context(request_of(score_of(0.4)))

    summary_picture(request, read_header(request.source))

    lines = [one.words for one in written]
    assert "Distance 0.42 from the films that the model knows (1.00 = the edge of what the model accepts)" in lines
    assert any("pneumonia (NIH ChestX-ray14 00000075_000.png, similarity 0.93)" in line for line in lines)
    assert "Literature: Doe et al., Films, 2020" in lines


def test_the_page_names_every_work_of_the_shipped_model(score_of, request_of, written) -> None:
    works = load_model(DEFAULT_MODEL).card.references
    request = request_of(replace(score_of(0.4), finding=replace(score_of(0.4).finding, references=works)))

    summary_picture(request, read_header(request.source))

    drawn = " ".join(one.words for one in written)
    assert len(works) > 1
    assert [] == [work for work in works if work not in drawn]


def test_the_page_grows_with_what_it_says(square, score_of, request_of) -> None:
    scores = [score_of(0.9, saliency=square, name=f"finding {n}") for n in range(18)]
    heights = [
        len(summary_picture(request, read_header(request.source)))
        for request in (request_of(), request_of(*scores), _with_context(request_of(*scores)))
    ]

    assert HEIGHT == heights[0] < heights[1] < heights[2]
