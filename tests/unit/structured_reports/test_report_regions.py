"""A region lies where the map is."""

from __future__ import annotations

import numpy as np
import pytest

from structured_reports.regions import regions_of


def _box(region) -> list[float]:
    return [*region.points.min(axis=0), *region.points.max(axis=0)]


def test_the_outline_runs_through_the_centers_of_the_border_pixels(square) -> None:
    (region,) = regions_of(square)

    assert _box(region) == [200.5, 30.5, 239.5, 69.5]


def test_a_mirrored_map_has_a_mirrored_outline(square) -> None:
    (region,) = regions_of(np.ascontiguousarray(square[:, ::-1]))

    assert _box(region) == [300 - 239.5, 30.5, 300 - 200.5, 69.5]


def test_column_comes_before_row(square) -> None:
    (region,) = regions_of(np.ascontiguousarray(square.T))

    assert _box(region) == [30.5, 200.5, 69.5, 239.5]


def test_the_outline_is_closed(square) -> None:
    (region,) = regions_of(square)

    assert np.array_equal(region.points[0], region.points[-1])


@pytest.mark.parametrize("shape", [(40, 40), (1, 1), (1, 30)])
def test_an_outline_has_more_points_than_a_box(shape) -> None:
    saliency = np.zeros((200, 300), np.float32)
    saliency[50 : 50 + shape[0], 60 : 60 + shape[1]] = 1.0

    assert len(regions_of(saliency)[0].points) > 6


def test_a_region_of_one_pixel_is_that_pixel() -> None:
    saliency = np.zeros((20, 30), np.float32)
    saliency[4, 7] = 0.8

    assert _box(regions_of(saliency)[0]) == [7, 4, 8, 5]


def test_the_region_that_holds_the_peak_comes_first() -> None:
    saliency = np.zeros((200, 300), np.float32)
    saliency[10:150, 10:100] = 0.8
    saliency[100:110, 250:260] = 1.0

    assert regions_of(saliency)[0].points[:, 0].min() == 250.5


def test_a_ripple_beside_the_peak_is_left_out(square) -> None:
    square[150:152, 20:22] = 0.9

    assert len(regions_of(square)) == 1


def test_the_line_is_at_half_of_the_peak(square) -> None:
    square[100:190, 10:100] = 0.49

    assert len(regions_of(square)) == 1


def test_an_empty_map_has_no_region() -> None:
    assert regions_of(np.zeros((20, 30), np.float32)) == ()


def test_a_region_at_the_border_stays_inside_the_film() -> None:
    (region,) = regions_of(np.ones((20, 30), np.float32))

    assert _box(region) == [0.5, 0.5, 29.5, 19.5]
