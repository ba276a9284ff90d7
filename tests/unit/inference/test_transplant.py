"""Boxed opacities on other films: where they lie, what the label becomes, and that a region alone says nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from inference.film_folder import LabelledFilm
from inference.training.transplant import Example, Transplant


def flat(level: float, target: float, *, boxed: bool = False) -> Example:
    inside = np.zeros((100, 100), np.float32)
    inside[40:60, 20:40] = float(boxed)
    return Example(np.full((100, 100), level, np.float32), inside, target)


ONTO, OPACITY, CLEAR = flat(0.2, 0.1), flat(0.9, 1.0, boxed=True), flat(0.5, 0.0)


def test_an_opacity_brings_its_label_and_its_box() -> None:
    put = Transplant(1.0, diseased=1.0).put(ONTO, OPACITY, CLEAR, np.random.default_rng(0))

    assert (1.0, OPACITY.boxed.sum()) == (put.target, put.boxed.sum())
    assert pytest.approx(0.9, abs=0.02) == put.film[50, 30]
    assert pytest.approx(0.2) == put.film[90, 90]


def test_the_same_region_of_a_clear_film_changes_neither() -> None:
    put = Transplant(1.0, diseased=0.0).put(ONTO, OPACITY, CLEAR, np.random.default_rng(0))

    assert (ONTO.target, 0.0) == (put.target, put.boxed.sum())
    assert pytest.approx(0.5, abs=0.02) == put.film[50, 30]


def test_the_edge_of_a_region_is_soft() -> None:
    put = Transplant(1.0, diseased=1.0).put(ONTO, OPACITY, CLEAR, np.random.default_rng(0))

    assert np.abs(np.diff(put.film, axis=1)).max() < 0.2


@pytest.mark.parametrize(
    ("population", "target", "suits"), [("adults", 0.1, True), ("adults", 1.0, False), ("children", 0.0, False)]
)
def test_only_adults_without_opacity_get_a_region(population: str, target: float, suits: bool) -> None:
    film = LabelledFilm("a.jpg", "a.zip", population, "subject", target, "stratum", "train")

    assert suits == Transplant(1.0).suits(film, np.random.default_rng(0))
