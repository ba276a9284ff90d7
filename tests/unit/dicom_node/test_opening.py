from __future__ import annotations

from pathlib import Path

from dicom_node.opening import Judge, open_film
from inference.guard import Guard
from inference.preprocessing import Preprocessing
from structured_reports.port import Refusal
from tests.conftest import as_study


def test_a_film_whose_pixels_are_not_square_is_refused_before_it_is_decoded(chest_film: Path, tmp_path: Path) -> None:
    path = as_study(chest_film, tmp_path / "film.dcm", 1, PixelSpacing=[0.4, 0.2], ViewPosition="PA")
    judge = Judge(Preprocessing(32, 0.5, 0.5), Guard(("CR", "DX"), ("CHEST",), ("PA",)))

    refusal = open_film(path, judge)

    reason = "PixelSpacing: 0.4 and 0.2; pixels of a film are square (PS3.3 C.7.6.3.1.7)"
    assert Refusal("geometry", reason) == refusal
