"""What results must say beside what they show: spacing, burnt-in words, compression, the order, the explanation."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from films import request_for, source_header, written_and_read
from pydicom.dataset import Dataset

from structured_reports.build import build_results
from structured_reports.port import ResultObject

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def film(**values: object) -> Dataset:
    """Return the header of a film with some values, as a receiver has it; None for an absent one."""
    header = source_header("dx")
    for keyword, value in values.items():
        if value is None:
            del header[keyword]
        else:
            setattr(header, keyword, value)
    return written_and_read(header)


def built_of(header: Dataset, *kinds: str, outcome: str = "positive") -> dict[str, ResultObject]:
    return {one.kind: one for one in build_results(request_for(header, outcome), kinds)}


def read(result: ResultObject) -> Dataset:
    return pydicom.dcmread(io.BytesIO(result.content))


def faults(run_tool, path: Path, result: ResultObject) -> list[str]:
    path.write_bytes(result.content)
    said = run_tool("dciodvfy", "-new", path).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


SPACINGS = {
    "of the detector alone": (
        {"PixelSpacing": None, "ImagerPixelSpacing": [0.143, 0.143]}, "NominalScannedPixelSpacing", [0.143, 0.143],
    ),
    "of the detector alone, not square": (
        {"PixelSpacing": None, "ImagerPixelSpacing": [0.4, 0.1]}, "NominalScannedPixelSpacing", [0.4, 0.1],
    ),
    "of a scanned film": (
        {"PixelSpacing": None, "ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.1, 0.2]},
        "NominalScannedPixelSpacing", [0.1, 0.2],
    ),
    "proportions alone": (
        {"PixelSpacing": None, "ImagerPixelSpacing": None, "PixelAspectRatio": [4, 1]}, "PixelAspectRatio", [4, 1],
    ),
    "in the patient": ({"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.2, 0.3]}, "PixelSpacing", [0.2, 0.3]),
    "none": ({"PixelSpacing": None, "ImagerPixelSpacing": None}, "", []),
}  # fmt: skip
SAID_BY_SPACING = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


@pytest.mark.peer
@pytest.mark.parametrize("name", SPACINGS)
def test_a_heatmap_says_of_its_pixels_what_the_film_says(name, run_tool, tmp_path) -> None:
    values, keyword, spacing = SPACINGS[name]

    heatmap = built_of(film(**values), "heatmap")["heatmap"]

    found = {one: list(read(heatmap)[one].value) for one in SAID_BY_SPACING if one in read(heatmap)}
    assert found == ({keyword: spacing} if keyword else {})
    assert [] == faults(run_tool, tmp_path / "heatmap.dcm", heatmap)
