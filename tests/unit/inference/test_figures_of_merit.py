"""Figures of merit agree with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.figures import (
    Outcome,
    auc,
    average_precision,
    calibration_error,
    difference,
    error_if_calibrated,
    figure,
    macro,
    measures,
    resampled,
    roc_points,
    specificity_at,
    summary,
)

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


def outcome_of(count: int, seed: int) -> Outcome:
    """Return films, three of each subject, whose score is the chance of their truth."""
    random = np.random.default_rng(seed)
    scores = random.random(count)
    return Outcome(scores, random.random(count) < scores, (np.arange(count) // 3).astype(str))


@given(PAIRS)
def test_average_precision_is_the_mean_precision_at_the_positive_films(pairs: list[tuple[int, bool]]) -> None:
    scores, truth = arrays_of(pairs)
    precisions = [truth[scores >= score].mean() for score in scores[truth]]

    assert pytest.approx(np.mean(precisions) if precisions else np.nan, nan_ok=True) == average_precision(scores, truth)


@given(PAIRS, st.sampled_from([0.5, 0.8, 1.0]))
def test_the_specificity_is_that_of_the_strictest_threshold_that_finds_enough(
    pairs: list[tuple[int, bool]], sensitivity: float
) -> None:
    scores, truth = arrays_of(pairs)
    enough = [each for each in scores if truth.any() and (scores[truth] >= each).mean() >= sensitivity - 1e-9]
    expected = (scores[~truth] < max(enough)).mean() if enough and not truth.all() else np.nan

    assert pytest.approx(expected, nan_ok=True) == specificity_at(scores, truth, sensitivity)


@pytest.mark.parametrize(("count", "score"), [(100, 0.5), (400, 0.2), (2500, 0.1)])
def test_the_error_of_exact_scores_is_the_mean_deviation_of_a_binomial_share(count: int, score: float) -> None:
    expected = np.sqrt(2 * score * (1 - score) / (np.pi * count))  # of a normal distribution

    found = error_if_calibrated(np.full(count, score))

    assert pytest.approx(expected, rel=0.08) == found["value"]
    assert found["low"] < found["value"] < found["high"]


def test_exact_scores_show_the_error_that_exact_scores_show() -> None:
    outcome = outcome_of(600, seed=1)
    expected = error_if_calibrated(outcome.scores)

    assert expected["low"] <= calibration_error(outcome.scores, outcome.truth) <= expected["high"]
    assert calibration_error(outcome.scores**4, outcome.truth) > error_if_calibrated(outcome.scores**4)["high"]


def test_a_model_differs_from_itself_by_exactly_nothing() -> None:
    outcome = outcome_of(120, seed=2)
    samples = resampled(outcome.subjects, seed=0)

    for measure in measures(0.4).values():
        assert {"value": 0.0, "low": 0.0, "high": 0.0} == difference((outcome, measure), (outcome, measure), samples)


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    first = outcome_of(300, seed=3)
    noise = np.random.default_rng(4).normal(0, 0.02, 300)
    second = Outcome(np.clip(first.scores + noise, 0, 1), first.truth, first.subjects)
    samples = resampled(first.subjects, seed=0)

    paired, alone = difference((first, auc), (second, auc), samples), figure(second, auc, samples)

    assert paired["value"] == pytest.approx(auc(second.scores, second.truth) - auc(first.scores, first.truth), abs=1e-4)
    assert paired["high"] - paired["low"] < (alone["high"] - alone["low"]) / 2


def test_a_difference_of_other_films_is_refused() -> None:
    first, second = outcome_of(30, seed=5), outcome_of(30, seed=6)

    with pytest.raises(ValueError, match="needs the same films"):
        difference((first, auc), (second, auc), resampled(first.subjects, seed=0))


def test_no_films_have_no_figures() -> None:
    nothing = Outcome(np.zeros(0), np.zeros(0, bool), np.zeros(0, str))

    figures = summary(nothing, 0.5)

    assert (0, 0) == (figures["films"], figures["positive"])
    assert {"value": None, "low": None, "high": None} == figures["accuracy"]
    assert {"value": None, "low": None, "high": None} == figures["calibration_error_if_calibrated"]
