"""A check of the view, learned from films spoiled on purpose, tells them from films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.atlas import Atlas, ViewCheck, unit
from inference.errors import NOT_FRONTAL, UNFAMILIAR

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from inference.training.views import part, view_check


@pytest.fixture
def clouds() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    films, others = (random.normal(size=(400, 8)).astype(np.float32) for _ in range(2))
    others[:, 3] += 6.0
    return films, others


def test_a_check_tells_films_from_others(clouds) -> None:
    check = view_check(*clouds)

    films, others = ([check.score(each) for each in cloud] for cloud in clouds)
    assert np.mean(np.array(films) > 0) > 0.99
    assert np.mean(np.array(others) < 0) > 0.99


def test_a_few_others_weigh_as_much_as_many_films(clouds) -> None:
    films, others = clouds

    scores = [view_check(films, few).score(np.full(8, 0.0, np.float32)) for few in (others, others[:20])]

    assert pytest.approx(scores[0], rel=0.3) == scores[1]


def test_a_part_is_about_half_of_a_film() -> None:
    film, random = np.random.default_rng(0).random((100, 80), np.float32), np.random.default_rng(1)

    sizes = [part(film, random).size / film.size for _ in range(50)]

    assert min(sizes) >= 0.39
    assert max(sizes) <= 0.61


def test_an_atlas_refuses_by_view_before_distance_and_keeps_its_check(clouds, tmp_path: Path) -> None:
    check = ViewCheck(np.array([0, 0, 0, 1], np.float32), bias=-0.5)
    cases = unit(np.eye(4, dtype=np.float32))
    names = ("a", "b", "c", "d")
    Atlas(cases, names, names, np.zeros(4, np.float32), np.eye(4, dtype=np.float32), 2.0, check).save(
        tmp_path / "a.npz"
    )
    atlas = Atlas.load(tmp_path / "a.npz")

    known, turned, far = (np.array([0, 0, x, y], np.float32) for x, y in ((0, 1), (0, 0.4), (9, 1)))

    refusals = [atlas.refusal(each, atlas.familiarity(each)) for each in (known, turned, far)]

    assert refusals[0] is None
    assert NOT_FRONTAL == refusals[1].code
    assert "view score -0.10" in str(refusals[1])
    assert UNFAMILIAR == refusals[2].code
