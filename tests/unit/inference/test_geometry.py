"""A map put back on the film lies where the model saw it, for films of every shape."""

from __future__ import annotations

import numpy as np
import pytest
from film_datasets import LAID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.geometry import Box, Geometry, block_means
from inference.orientation import Orientation

DIRECTIONS = st.sampled_from(sorted(LAID))
SIDES = st.sampled_from([32, 160, 192, 224])
LENGTHS = st.integers(8, 700)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    rows, columns = draw(LENGTHS), draw(LENGTHS)
    top, left = draw(st.integers(0, rows - 4)), draw(st.integers(0, columns - 4))
    height, width = draw(st.integers(4, rows - top)), draw(st.integers(4, columns - left))
    crop = draw(st.sampled_from([None, Box(top, left, height, width)]))
    return Geometry.fit((rows, columns), draw(SIDES), crop, Orientation(*draw(DIRECTIONS)))


@given(geometries())
def test_the_aspect_ratio_is_kept_to_a_pixel_of_the_model(geometry: Geometry) -> None:
    longest = max(geometry.content.rows, geometry.content.columns)
    scale = longest / max(geometry.seen.rows, geometry.seen.columns)
    rows, columns = geometry.orientation.upright_size(geometry.seen.rows, geometry.seen.columns)

    assert abs(rows * scale - geometry.content.rows) <= 2.0
    assert abs(columns * scale - geometry.content.columns) <= 2.0


@given(LENGTHS, LENGTHS, SIDES, DIRECTIONS)
def test_less_than_one_pixel_of_the_model_is_left_out(
    rows: int, columns: int, side: int, directions: tuple[str, str]
) -> None:
    geometry = Geometry.fit((rows, columns), side, orientation=Orientation(*directions))

    assert rows - geometry.seen.rows < geometry.factor
    assert columns - geometry.seen.columns < geometry.factor


@settings(deadline=None, max_examples=60)
@given(geometries(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
@example(Geometry.fit((1955, 1841), 192), 0.2, 0.8)
@example(Geometry.fit((2500, 600), 192), 0.9, 0.1)
@example(Geometry.fit((600, 2500), 192, orientation=Orientation("F", "R")), 0.9, 0.1)
def test_a_bright_spot_comes_back_to_its_place_and_side(geometry: Geometry, down: float, across: float) -> None:
    row = geometry.seen.top + int(down * geometry.seen.rows)
    column = geometry.seen.left + int(across * geometry.seen.columns)
    distance = np.hypot(*np.ogrid[-row : geometry.source[0] - row, -column : geometry.source[1] - column])
    spot = np.exp(-((distance / (0.1 * max(geometry.source))) ** 2)).astype(np.float32)

    returned = geometry.to_source(geometry.to_model(spot))

    found = np.unravel_index(returned.argmax(), returned.shape)
    pixel_of_model = max(geometry.source) / min(geometry.content.rows, geometry.content.columns, geometry.side)
    assert abs(found[0] - row) <= 2 * pixel_of_model + 1
    assert abs(found[1] - column) <= 2 * pixel_of_model + 1


@given(geometries())
def test_nothing_is_marked_where_the_model_saw_nothing(geometry: Geometry) -> None:
    returned = geometry.to_source(np.ones((6, 6), np.float32))

    unseen = np.ones(geometry.source, bool)
    unseen[geometry.seen.window] = False
    assert not returned[unseen].any()
    assert (returned[geometry.seen.window] > 0.99).all()


@given(geometries())
def test_the_model_sees_black_beside_the_film(geometry: Geometry) -> None:
    placed = geometry.to_model(np.ones(geometry.source, np.float32))

    outside = np.ones(placed.shape, bool)
    outside[geometry.content.window] = False
    assert not placed[outside].any()
    assert pytest.approx(1.0) == placed[geometry.content.window].min()


@given(st.integers(200, 900), st.integers(200, 900))
def test_a_fine_pattern_becomes_its_mean_and_no_moire(rows: int, columns: int) -> None:
    film = (np.indices((rows * 2, columns * 2)).sum(axis=0) % 2).astype(np.float32)
    geometry = Geometry.fit(film.shape, 32)

    inner = geometry.to_model(film)[geometry.content.window]

    assert np.abs(inner - 0.5).max() < 0.06


def uneven_film(rows: int, columns: int) -> np.ndarray:
    """Return an upright film that no turn makes equal to itself."""
    return np.random.default_rng(rows * 1000 + columns).random((rows, columns), np.float32)


@pytest.mark.parametrize("factor", [1, 2, 13])
def test_a_block_becomes_its_mean_whatever_the_memory_holds(factor: int) -> None:
    film = uneven_film(8 * factor, 5 * factor)
    means = film.reshape(8, factor, 5, factor).astype(np.float64).mean(axis=(1, 3))

    for laid in (film, np.asfortranarray(film), np.pad(film, 3)[3:-3, 3:-3], film[::-1].copy()[::-1]):
        assert np.abs(block_means(laid, factor) - means).max() < 1e-6
        assert np.array_equal(block_means(laid, factor), block_means(np.ascontiguousarray(laid), factor))


@settings(deadline=None)
@given(LENGTHS, LENGTHS, SIDES, DIRECTIONS)
@example(1955, 1841, 192, ("R", "H"))
@example(1955, 1841, 192, ("F", "R"))
@example(1955, 1841, 192, ("H", "R"))
def test_the_model_sees_the_same_however_the_film_lies(
    rows: int, columns: int, side: int, directions: tuple[str, str]
) -> None:
    upright = uneven_film(rows, columns)
    stored = LAID[directions](upright)

    seen = Geometry.fit(stored.shape, side, orientation=Orientation(*directions)).to_model(stored)

    assert np.array_equal(Geometry.fit(upright.shape, side).to_model(upright), seen)


@settings(deadline=None)
@given(LENGTHS, LENGTHS, SIDES, DIRECTIONS)
def test_a_map_comes_back_as_the_film_lies(rows: int, columns: int, side: int, directions: tuple[str, str]) -> None:
    cells = uneven_film(6, 6)
    expected = LAID[directions](Geometry.fit((rows, columns), side).to_source(cells))

    returned = Geometry.fit(expected.shape, side, orientation=Orientation(*directions)).to_source(cells)

    assert np.array_equal(expected, returned)


def test_a_left_half_stays_left() -> None:
    film = np.zeros((300, 200), np.float32)
    film[:, :100] = 1.0
    geometry = Geometry.fit((300, 200), 192)

    returned = geometry.to_source(geometry.to_model(film))

    assert returned[:, :90].min() > 0.95
    assert returned[:, 110:].max() < 0.05


def test_a_box_outside_the_film_is_refused() -> None:
    with pytest.raises(ValueError, match="is not inside a film"):
        Geometry((10, 10), Box(5, 5, 6, 6), 32, Box(0, 0, 32, 32))


def test_content_outside_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="is not inside a grid"):
        Geometry((10, 10), Box(0, 0, 10, 10), 32, Box(1, 0, 32, 32))
