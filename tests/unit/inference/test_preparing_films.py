"""A film is prepared alike in training and in serving, whatever window or padding it came with."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inference.enhancement import ENHANCEMENTS
from inference.errors import UnsuitableFilmError
from inference.geometry import Box
from inference.orientation import Orientation
from inference.preprocessing import Preprocessing, levels_at
from inference.types import Radiograph

PREPROCESSING = Preprocessing(96, 0.5, 0.5, (0.5, 99.5))


def film(rows: int = 300, columns: int = 200) -> np.ndarray:
    """Return a smooth film that is nowhere even."""
    down, across = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return (0.5 + 0.25 * np.sin(7 * down + 3 * across) + 0.2 * across).clip(0, 1).astype(np.float32)


def test_the_tensor_is_one_channel_of_the_model_grid() -> None:
    prepared = PREPROCESSING.prepare(Radiograph(film()))

    assert ((1, 96, 96), np.float32) == (prepared.tensor.shape, prepared.tensor.dtype)
    assert prepared.tensor.min() == -1.0
    assert prepared.tensor.max() == 1.0


@settings(deadline=None)
@given(st.floats(0.2, 1.0), st.floats(0.0, 1.0))
def test_another_window_that_clips_nothing_gives_the_same_tensor(width: float, place: float) -> None:
    shown = film() * np.float32(width) + np.float32(place * (1.0 - width))

    expected = PREPROCESSING.prepare(Radiograph(film())).tensor
    assert pytest.approx(expected, abs=1e-4) == PREPROCESSING.prepare(Radiograph(shown)).tensor


def test_padding_around_a_film_does_not_shrink_it() -> None:
    inner = film()
    outer, padding = np.zeros((400, 420), np.float32), np.ones((400, 420), bool)
    outer[50:350, 120:320], padding[50:350, 120:320] = inner, False

    prepared = PREPROCESSING.prepare(Radiograph(outer, padding))

    assert (PREPROCESSING.prepare(Radiograph(inner)).tensor == prepared.tensor).all()
    assert prepared.geometry.source == (400, 420)


def test_a_prepared_film_and_the_preprocessing_travel_to_another_process() -> None:
    prepared = PREPROCESSING.prepare(Radiograph(film(), attributes={"PatientOrientation": "F\\R"}))

    returned, preprocessing = pickle.loads(pickle.dumps((prepared, PREPROCESSING)))  # noqa: S301 - our own bytes

    assert (prepared.tensor == returned.tensor).all()
    assert Orientation("F", "R") == returned.geometry.orientation
    assert (prepared.geometry, PREPROCESSING) == (returned.geometry, preprocessing)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_film_without_contrast_is_refused(level: float) -> None:
    with pytest.raises(UnsuitableFilmError, match=r"a contrast of 0\.0000") as refusal:
        PREPROCESSING.prepare(Radiograph(np.full((64, 64), level, np.float32)))

    assert refusal.value.code == "pixels"


def test_a_film_with_values_that_are_not_finite_is_refused() -> None:
    broken = film()
    broken[100:200] = np.nan

    with pytest.raises(UnsuitableFilmError, match="not every value is finite"):
        PREPROCESSING.prepare(Radiograph(broken))


def test_a_film_whose_orientation_is_none_is_refused() -> None:
    with pytest.raises(UnsuitableFilmError, match=r"PatientOrientation: L\\R; .*C\.7\.6\.1\.1\.1") as refusal:
        PREPROCESSING.prepare(Radiograph(film(), attributes={"PatientOrientation": "L\\R"}))

    assert refusal.value.code == "orientation"


def test_a_film_without_orientation_is_read_as_it_lies() -> None:
    upright = PREPROCESSING.prepare(Radiograph(film(), attributes={"PatientOrientation": "L\\F"}))

    assert (upright.tensor == PREPROCESSING.prepare(Radiograph(film())).tensor).all()


def test_padding_around_a_turned_film_does_not_shrink_it() -> None:
    outer, padding = np.zeros((400, 420), np.float32), np.ones((400, 420), bool)
    outer[50:350, 120:320], padding[50:350, 120:320] = film(), False
    turned = Radiograph(np.rot90(outer), np.rot90(padding), attributes={"PatientOrientation": "F\\R"})

    assert (PREPROCESSING.prepare(Radiograph(film())).tensor == PREPROCESSING.prepare(turned).tensor).all()


def test_the_border_of_a_film_is_cut_off_inside_its_padding() -> None:
    outer, padding = np.zeros((400, 420), np.float32), np.ones((400, 420), bool)
    outer[50:350, 120:320], padding[50:350, 120:320] = film(), False
    cropping = replace(PREPROCESSING, cropped=0.05)

    prepared = cropping.prepare(Radiograph(outer, padding))

    assert Box(65, 130, 270, 180) == prepared.geometry.seen
    assert (PREPROCESSING.prepare(Radiograph(film()[15:285, 10:190])).tensor == prepared.tensor).all()
    assert prepared.geometry.to_source(np.ones((12, 12), np.float32))[:65].max() == 0.0


def test_equalization_raises_local_contrast_and_stays_in_range() -> None:
    flat = np.random.default_rng(0).normal(0.5, 0.02, (96, 96)).astype(np.float32)

    equalized = ENHANCEMENTS["adaptive-equalization"](flat)

    assert equalized.std() > 1.2 * flat.std()
    assert 0.0 <= equalized.min() <= equalized.max() <= 1.0


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(0, 1, width=32)))
def test_percentiles_are_those_of_numpy(film: np.ndarray) -> None:
    assert np.allclose(levels_at(film, (0.5, 99.5)), np.percentile(film.astype(np.float64), (0.5, 99.5)), atol=1e-6)
