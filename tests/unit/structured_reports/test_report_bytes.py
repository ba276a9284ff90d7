"""The bytes of an object, and pictures of it that are smaller."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pydicom
import pytest

from structured_reports.build import BUILDERS, build_results
from structured_reports.port import DICOM
from structured_reports.shrink import shrunk
from structured_reports.typeset import png


@pytest.mark.parametrize("charset", [None, "ISO_IR 100", "ISO_IR 192"])
def test_a_file_is_what_pydicom_writes_of_its_data_set(charset, header, square, score_of, request_of) -> None:
    if charset:
        header.SpecificCharacterSet, header.PatientName = charset, "Müller^Jörg"

    made = build_results(request_of(score_of(0.9, saliency=square)), tuple(BUILDERS))

    files = {one.kind: one.content for one in made if one.media_type == DICOM}
    assert set(BUILDERS) - {"fhir"} == set(files)
    for kind, content in files.items():
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, pydicom.dcmread(BytesIO(content)), enforce_file_format=True)
        assert content == buffer.getvalue(), kind


@pytest.mark.parametrize("shape", [(2500, 2048), (2500, 2048, 3), (1023, 777), (64, 4096)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_smaller_picture_shows_the_mean_of_what_its_pixels_cover(shape, kind) -> None:
    noise = np.random.default_rng(1).uniform(0, 255, shape).astype(kind)
    picture = cv2.GaussianBlur(noise, (0, 0), 4)  # as films are: neighbours are alike
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)

    smaller = shrunk(picture, 300, 50)

    exact = cv2.resize(picture, (300, 50), interpolation=cv2.INTER_AREA)
    assert (50, 300, *shape[2:]) == smaller.shape
    # A shift by one pixel of the larger picture makes 7
    assert np.abs(smaller.astype(float) - exact.astype(float)).max() <= 5


def test_a_png_shows_the_same_pixels() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (40, 30, 3), dtype=np.uint8)

    shown = cv2.imdecode(np.frombuffer(png(picture, 40), np.uint8), cv2.IMREAD_COLOR)

    assert np.array_equal(picture, shown[..., ::-1])
