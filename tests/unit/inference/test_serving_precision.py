"""A faster form of a network is used only where no decision changes."""

from __future__ import annotations

import numpy as np
import pytest

from inference.serving.precision import change, fastest_equal

EXACT = np.array([[0.30, 0.9], [0.34, 0.1], [0.32, 0.5]], np.float32)
THRESHOLDS = (0.33, 0.5)


def test_a_difference_that_crosses_no_threshold_changes_no_decision() -> None:
    told = change(EXACT, EXACT + np.float32(0.005), THRESHOLDS)

    assert (0, 6) == (told.decisions, told.of)
    assert pytest.approx(0.005, abs=1e-6) == told.largest


def test_a_score_that_crosses_its_threshold_is_counted() -> None:
    assert 1 == change(EXACT, EXACT + np.float32(0.02), THRESHOLDS).decisions


def test_a_score_that_is_no_number_is_a_changed_decision() -> None:
    other = EXACT.copy()
    other[0, 0] = np.nan

    assert 1 == change(EXACT, other, THRESHOLDS).decisions


def test_scores_of_other_films_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="the reference has"):
        change(EXACT, EXACT[:2], THRESHOLDS)


def test_the_fastest_form_that_decides_alike_is_chosen() -> None:
    errors = {"int8": 0.02, "float16": 0.001, "bfloat16": 0.002, "float32": 0.0}

    chosen = fastest_equal(list(errors), lambda form: EXACT + np.float32(errors[form]), THRESHOLDS)

    assert "float16" == chosen


def test_without_a_faster_form_that_decides_alike_the_exact_one_is_chosen() -> None:
    errors = {"int8": 0.02, "float32": 0.0}

    chosen = fastest_equal(list(errors), lambda form: EXACT + np.float32(errors[form]), THRESHOLDS)

    assert "float32" == chosen
