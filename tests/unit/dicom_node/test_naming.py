"""Models of one node are told apart by a word that a viewer still shows."""

from __future__ import annotations

import pytest

from dicom_node.naming import MOST_LETTERS, distinguishing_words


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["pneumonia-lite0 2.0.0"], [""]),
        (["pneumonia-lite0 2.0.0", "pneumonia-lite1 2.0.0"], ["lite0", "lite1"]),
        (["chest 1.0", "chest 1.1"], ["v1.0", "v1.1"]),
        (["efficientnet-a 1", "efficientnet-b 1"], ["a", "b"]),
        (["fracturesofthehand 1", "fracturesofthefoot 1"], ["model 1", "model 2"]),
        (["broken", "chest 1.0"], ["broken", "chest"]),
    ],
)
def test_the_word_is_the_first_that_no_other_model_has(models: list[str], expected: list[str]) -> None:
    assert expected == list(distinguishing_words(models))


def test_the_words_of_many_models_differ_and_are_short() -> None:
    models = [
        f"{body}-{finding} {version}" for body in ("hand", "foot") for finding in ("a", "b") for version in (1, 2)
    ]

    words = distinguishing_words(models)

    assert len(models) == len(set(words))
    assert max(map(len, words)) <= MOST_LETTERS
