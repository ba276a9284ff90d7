"""What a reader reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.models import DEFAULT_MODEL
from inference.types import ReferenceCase
from structured_reports.text import (
    case_line,
    conclusion,
    findings_line,
    fitted,
    score_and_threshold,
    score_line,
    sentence,
)


def test_a_score_just_below_its_threshold_is_not_printed_as_equal(score_of) -> None:
    assert score_and_threshold(score_of(0.496)) == ("49.6 %", "50.0 %")


def test_a_score_at_its_threshold_is_printed_as_equal(score_of) -> None:
    assert score_and_threshold(score_of(0.5)) == ("50 %", "50 %")


@pytest.mark.parametrize(
    ("value", "threshold", "printed"),
    [
        (0.464, 0.465, ("46.4 %", "46.5 %")),
        (0.465, 0.465, ("46.5 %", "46.5 %")),
        (0.46499997, 0.465, ("46.499997 %", "46.500000 %")),
        (0.9, 0.465, ("90.0 %", "46.5 %")),
        (0.4651, 0.465, ("46.51 %", "46.50 %")),
        (0.12, 0.5, ("12 %", "50 %")),
    ],
)
def test_what_is_printed_lies_on_the_side_of_the_threshold_that_the_verdict_says(
    value, threshold, printed, score_of
) -> None:
    assert printed == score_and_threshold(score_of(value, threshold))


@given(value=st.floats(0, 1, width=32), threshold=st.floats(0.01, 0.99))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_printed_score_never_contradicts_its_verdict(value, threshold, score_of) -> None:
    score = score_of(value, threshold)

    found, printed = (float(text.removesuffix(" %")) for text in score_and_threshold(score))

    assert score.above == (found >= printed)


def test_a_line_names_finding_score_threshold_and_verdict(score_of) -> None:
    assert score_line(score_of(0.12)) == "Pneumonia: AI score 12 %, threshold 50 %, below threshold"


@pytest.mark.parametrize("word", ["normal", "no pneumonia", "negative", "probability"])
def test_a_conclusion_below_the_threshold_claims_no_more(word, score_of, request_of) -> None:
    assert word not in conclusion(request_of(score_of(0.12))).lower()


def test_a_conclusion_begins_with_the_notice(score_of, request_of) -> None:
    assert conclusion(request_of(score_of(0.9), notice="NOT FOR USE")).startswith("NOT FOR USE. ")


def test_a_refusal_says_why(request_of) -> None:
    assert conclusion(request_of()).endswith("AI NOT PERFORMED: No chest film.")


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("normal (adults)", "read as without finding (adults)"),
        ("Normal", "read as without finding"),
        ("no lung opacity / not normal (adults)", "read as without lung opacity, with another finding (adults)"),
        ("boxed (adults)", "marked as pneumonia by radiologists (adults)"),
        ("adjudicated (adults)", "read by several radiologists (adults)"),
        ("pneumonia (children)", "pneumonia (children)"),
    ],
)
def test_a_reference_case_is_called_what_a_reader_understands_and_never_normal(label, told) -> None:
    assert case_line(ReferenceCase("NIH 00000075_000.png", label, 0.934)) == (
        f"{told} (NIH 00000075_000.png, similarity 0.93)"
    )


def test_no_case_of_the_shipped_model_is_called_normal_or_boxed() -> None:
    with np.load(DEFAULT_MODEL / "atlas.npz") as atlas:
        labels = sorted(set(map(str, atlas["labels"])))

    lines = [case_line(ReferenceCase("NIH 1", label, 0.9)).lower() for label in labels]
    assert [] == [line for line in lines if "normal" in line or "boxed" in line or "adjudicated" in line]


def test_the_label_of_a_series_names_the_finding_first_that_is_farthest_above_its_threshold(
    score_of, request_of
) -> None:
    request = request_of(score_of(0.1, name="effusion"), score_of(0.9, name="pneumonia"))

    assert findings_line(request.outcome) == "pneumonia, effusion"


def test_words_that_do_not_fit_are_cut_visibly() -> None:
    assert fitted("abcdefghijk", 8) == "abcde..."


def test_a_sign_of_typography_does_not_leave_ascii() -> None:
    assert sentence("3 × “no film” – none…").isascii()


def test_a_control_character_is_no_part_of_a_sentence() -> None:
    assert sentence("ViewPosition: LL\0X\x1b\r\n") == "ViewPosition: LL X."
