"""Figures of merit agree with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.figures import Outcome, auc, calibration_error, macro, resampled, roc_points, summary

PAIRS = st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=60)


def arrays_of(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score / 10 for score, _ in pairs]), np.array([truth for _, truth in pairs])


@given(PAIRS)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    scores, truth = arrays_of(pairs)
    wins = [
        (positive > negative) + 0.5 * (positive == negative)
        for positive in scores[truth] for negative in scores[~truth]
    ]  # fmt: skip

    assert pytest.approx(np.mean(wins) if wins else np.nan, nan_ok=True) == auc(scores, truth)


@given(PAIRS)
def test_the_area_under_the_roc_points_is_auc(pairs: list[tuple[int, bool]]) -> None:
    scores, truth = arrays_of(pairs)
    _, sensitivities, false_rates = roc_points(scores, truth)
    area = np.trapezoid(np.r_[0, sensitivities], np.r_[0, false_rates])

    if truth.any() and not truth.all():
        assert pytest.approx(auc(scores, truth)) == area


def test_macro_figures_are_means_of_both_classes() -> None:
    scores, truth = np.array([0.9, 0.9, 0.1, 0.9]), np.array([True, True, True, False])

    assert pytest.approx(((2 / 3 + 0) / 2, (2 / 3 + 0) / 2, (2 / 3 + 0) / 2)) == macro(scores, truth, 0.5)


def test_perfectly_sure_and_right_has_no_calibration_error() -> None:
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0.0


def test_always_sure_and_half_right_has_an_error_of_one_half() -> None:
    assert pytest.approx(0.5) == calibration_error(np.ones(10), np.arange(10) % 2 == 0)


def test_films_of_one_subject_are_drawn_together() -> None:
    subjects = np.array(["a", "b", "a", "c"])

    for sample in resampled(subjects, seed=0)[:50]:
        drawn = sample.tolist()
        assert drawn.count(0) == drawn.count(2)


def test_an_interval_holds_its_value_and_narrows_with_more_films() -> None:
    random = np.random.default_rng(0)
    widths = []
    for count in (40, 1000):
        truth = random.random(count) < 0.5
        outcome = Outcome(truth * 0.3 + random.random(count) * 0.7, truth, np.arange(count).astype(str))
        figure = summary(outcome, 0.5)["auc"]
        assert figure["low"] <= figure["value"] <= figure["high"]
        widths.append(figure["high"] - figure["low"])
    assert widths[1] < widths[0] / 2
