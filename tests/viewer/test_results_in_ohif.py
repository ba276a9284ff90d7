"""What a radiologist sees of the results in OHIF, on an Orthanc, in a browser."""

from __future__ import annotations

import pydicom
import pytest

from tests.peers.peers import HOST
from tests.viewer.measures import covered, heat_colour, left_share, likeness, line_colour, on_film
from tests.viewer.results import regions, score

pytestmark = [pytest.mark.peer, pytest.mark.viewer]

NOTICE = "AI RESULT - NOT FOR DIAGNOSTIC USE"
SIDED = ("positive", "mirrored")
SEVERAL = ("two above", "one above")
READABLE = ("positive", "mirrored", "negative", "refused", *SEVERAL)
ON_SIDE = 0.9  # of what is coloured
NEAR = 0.02  # of the width of the film


def report_faults(view, number: float) -> list[str]:
    """Return what is wrong with the view of a report of a region."""
    faults = [*view.notices, *view.prompts]
    if f"Certainty of Finding (pneumonia): {number:.2f} %" not in view.labels:
        faults.append(f"the score stands not on the film but {view.labels}")
    if not view.contours:
        faults.append("no region is drawn")
    return faults


@pytest.mark.parametrize("name", SIDED)
def test_score_and_region_stand_on_the_source_image(name, views_of, made, shown_films) -> None:
    view = views_of(name)["report"]

    assert [] == report_faults(view, score(made[name]["report"]))
    assert likeness(view, shown_films[name].pixels) > 0.95
    assert likeness(view, shown_films[name].pixels) > likeness(view, shown_films[name].pixels[:, ::-1])


@pytest.mark.parametrize("name", SIDED)
def test_the_region_lies_on_the_side_that_radiologists_marked(name, views_of, shown_films) -> None:
    picture = views_of(name)["report"].picture
    left = left_share(picture, line_colour(picture))

    assert ON_SIDE < (left if shown_films[name].side == "left" else 1 - left)


@pytest.mark.parametrize("name", SIDED)
def test_the_region_lies_where_the_report_puts_it(name, views_of, made, shown_films) -> None:
    film = shown_films[name].pixels

    shown, told = on_film(views_of(name)["report"], film), regions(made[name]["report"])

    assert sorted(told) == [pytest.approx(box, abs=NEAR * film.shape[1]) for box in sorted(shown)]


@pytest.mark.parametrize("name", SIDED)
def test_the_heatmap_is_warm_on_the_same_side_of_the_same_film(name, views_of, shown_films) -> None:
    view, film = views_of(name)["heatmap"], shown_films[name]
    left = left_share(view.picture, heat_colour(view.picture))

    assert ON_SIDE < (left if film.side == "left" else 1 - left)
    assert likeness(view, film.pixels) > likeness(view, film.pixels[:, ::-1])


def test_a_film_stored_mirrored_has_the_score_of_the_same_body(made) -> None:
    assert score(made["positive"]["report"]) == pytest.approx(score(made["mirrored"]["report"]), abs=0.5)


@pytest.mark.parametrize("name", READABLE)
def test_the_summary_page_is_shown(name, views_of, made) -> None:
    view = views_of(name)["summary"]

    assert likeness(view, pydicom.dcmread(made[name]["summary"]).pixel_array[..., 1]) > 0.9


@pytest.mark.parametrize("name", READABLE)
def test_the_viewer_writes_over_no_word_of_the_summary_page(name, views_of, made) -> None:
    view, page = views_of(name)["summary"], pydicom.dcmread(made[name]["summary"]).pixel_array[..., 1]

    assert covered(view, page, slice(0, len(page))) < 0.01
    assert covered(view, page, slice(0, 200)) < 0.01  # the notice alone: little of the page


def test_a_result_below_the_threshold_is_a_text_that_says_so(views_of) -> None:
    text = views_of("negative")["report"].text

    assert NOTICE in text
    assert "below threshold" in text


def test_a_study_that_was_not_read_says_so_and_why(views_of) -> None:
    text = views_of("refused")["report"].text

    assert f"{NOTICE}. AI NOT PERFORMED" in text
    assert "Modality: CT" in text


@pytest.mark.parametrize("name", READABLE)
def test_nothing_pops_up(name, views_of) -> None:
    views = views_of(name).values()

    assert [] == [word for view in views for word in (*view.notices, *view.prompts)]


@pytest.mark.parametrize("name", SEVERAL)
def test_of_several_findings_each_that_is_above_its_threshold_stands_on_the_film_by_name(
    name, views_of, made, shown_films
) -> None:
    view, film = views_of(name)["report"], shown_films[name]
    above = {finding: number for finding, number in film.scores.items() if number >= 0.5}

    told = [f"Certainty of Finding ({finding}): {100 * number:.2f} %" for finding, number in above.items()]
    assert sorted(told) == sorted(label for label in view.labels if label.startswith("Certainty"))
    assert len(view.contours) == len(above)
    shown, placed = on_film(view, film.pixels), regions(made[name]["report"])
    assert sorted(placed) == [pytest.approx(box, abs=NEAR * film.pixels.shape[1]) for box in sorted(shown)]


def test_a_wrong_tracking_uid_is_seen(views_of, made) -> None:
    """The film and its results are those of `positive`; there the same checks find nothing."""
    faults = report_faults(views_of("misnamed")["report"], score(made["misnamed"]["report"]))

    assert any("Something went wrong" in fault for fault in faults)
    assert "no region is drawn" in faults


def test_the_viewer_asks_this_machine_only_and_fails_nowhere(views_of, viewer) -> None:
    for name in READABLE:
        views_of(name)

    assert {HOST} == viewer.hosts
    assert [] == viewer.faults
