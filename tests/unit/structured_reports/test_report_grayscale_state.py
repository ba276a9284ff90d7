"""A presentation state shows a film as a viewer does without it."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from structured_reports.grayscale_state import add_grayscale, displayed_area
from structured_reports.header import read_header


def _state(header: Dataset) -> Dataset:
    state = Dataset()
    add_grayscale(state, read_header(header))
    return state


@pytest.mark.parametrize(
    ("photometric", "shape", "expected"),
    [
        ("MONOCHROME1", None, "INVERSE"),
        ("MONOCHROME2", None, "IDENTITY"),
        ("MONOCHROME1", "IDENTITY", "IDENTITY"),
        ("MONOCHROME2", "INVERSE", "INVERSE"),
    ],
)
def test_what_is_white_in_the_film_stays_white(photometric, shape, expected, header) -> None:
    header.PhotometricInterpretation = photometric
    if shape:
        header.PresentationLUTShape = shape

    assert expected == _state(header).PresentationLUTShape


def test_of_several_windows_the_first_is_shown(header) -> None:
    header.WindowCenter, header.WindowWidth = [100, 5], [50, 6]

    (window,) = _state(header).SoftcopyVOILUTSequence
    assert (100, 50) == (window.WindowCenter, window.WindowWidth)


def test_a_sigmoid_stays_a_sigmoid(header) -> None:
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = 100, 50, "SIGMOID"

    assert _state(header).SoftcopyVOILUTSequence[0].VOILUTFunction == "SIGMOID"


def test_a_table_is_preferred_to_a_window(header) -> None:
    header.WindowCenter, header.WindowWidth = 100, 50
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 8], [0, 1, 2, 3]
    header.PixelRepresentation, header.VOILUTSequence = 0, [table]

    (item,) = _state(header).SoftcopyVOILUTSequence
    assert ([4, 0, 8], "WindowCenter" in item) == (list(item.VOILUTSequence[0].LUTDescriptor), False)


def test_without_a_window_the_range_that_the_film_names_is_shown(header) -> None:
    header.PixelRepresentation = 0
    header.SmallestImagePixelValue, header.LargestImagePixelValue = 10, 109

    (window,) = _state(header).SoftcopyVOILUTSequence
    assert (60, 100) == (window.WindowCenter, window.WindowWidth)


def test_a_rescale_is_kept(header) -> None:
    header.RescaleSlope, header.RescaleIntercept, header.RescaleType = 2, -1000, "HU"

    state = _state(header)
    assert (2, -1000, "HU") == (state.RescaleSlope, state.RescaleIntercept, state.RescaleType)


def test_pixels_that_are_not_square_are_shown_in_the_proportions_of_the_body(header) -> None:
    header.PixelSpacing = [0.3, 0.2]

    assert [3, 2] == list(displayed_area(read_header(header), 10, 20).PresentationPixelAspectRatio)
