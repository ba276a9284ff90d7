"""A distance of pixels that cannot be true is none, in every object."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from structured_reports.build import build_results
from structured_reports.header import read_header
from structured_reports.port import DICOM
from structured_reports.spacing import pair_of, pixel_aspect, spacing_mm

IMPOSSIBLE = (["0", "0"], ["0.000", "0.2"], ["-0.2", "0.2"], ["nan", "nan"], ["inf", "0.2"], ["0.2"], ["a", "b"], [])
KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
KINDS = ("summary", "heatmap", "gsps", "seg", "report")


def _with(header: Dataset, keyword: str, value: list[str]) -> Dataset:
    """Return a header as it is received: what is no number too."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, that the value breaks its VR
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        raw = Dataset()
        raw.add_new(keyword, "LO", value)
        element = raw[keyword]
        header.add_new(element.tag, "LO", value)
        pydicom.dcmwrite(buffer, header, enforce_file_format=True)
        content = buffer.getvalue()
    tag = int(element.tag).to_bytes(4, "big")
    place = content.index(bytes([tag[1], tag[0], tag[3], tag[2]]) + b"LO")
    content = content[: place + 4] + b"DS" + content[place + 6 :]
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.parametrize("value", IMPOSSIBLE, ids=str)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_spacing_that_cannot_be_true_is_none(keyword, value, header) -> None:
    found = read_header(_with(header, keyword, value))

    assert (None, None, 1.0) == (pair_of(found, keyword), spacing_mm(found), pixel_aspect(found))


def test_the_next_attribute_holds_where_the_first_cannot_be_true(header) -> None:
    header.PixelSpacing, header.ImagerPixelSpacing = [0.4, 0.2], [0, 0]

    found = read_header(header)

    assert ((0.4, 0.2), 2.0) == (spacing_mm(found), pixel_aspect(found))


@pytest.mark.parametrize("value", IMPOSSIBLE, ids=str)
def test_no_object_repeats_a_spacing_that_cannot_be_true(value, header, square, score_of, request_of) -> None:
    header.FrameOfReferenceUID, header.ImageOrientationPatient = "2.25.7", [1, 0, 0, 0, 1, 0]
    header.ImagePositionPatient, header.SliceThickness = [0, 0, 0], 1
    source = _with(header, "PixelSpacing", value)

    made = build_results(request_of(score_of(0.9, saliency=square), source=source), KINDS)

    objects = [pydicom.dcmread(BytesIO(one.content)) for one in made if one.media_type == DICOM]
    assert len(KINDS) == len(objects)
    assert [] == [element for one in objects for element in one.iterall() if element.keyword in KEYWORDS]


def test_a_contour_does_not_depend_on_the_spacing(header, square, score_of, request_of) -> None:
    points = []
    for value in ["0.000", "0.000"], ["0.2", "0.2"]:
        request = request_of(score_of(0.9, saliency=square), source=_with(header, "PixelSpacing", value))
        (report,) = build_results(request, ("report",))
        tree = pydicom.dcmread(BytesIO(report.content))
        points.append([element.value for element in tree.iterall() if element.keyword == "GraphicData"])

    assert points[0] == points[1]
    assert np.isfinite(points[0]).all()
