"""What is wrong with a file is its refusal; what is wrong with the disk is tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dicom_node.opening import Judge, open_film
from dicom_node.opening_series import SeriesJudge, open_series
from structured_reports.port import Refusal
from tests.conftest import cut_in_sequence

Opened = Callable[[Path], Any]


def film(path: Path) -> object:
    return open_film(path, cast(Judge, None))  # nobody is asked about what cannot be read


def series(path: Path) -> object:
    return open_series([path], cast(SeriesJudge, None))


@pytest.mark.parametrize("opened", [film, series])
def test_a_file_that_ends_within_a_sequence_is_refused(ct_slice: Path, tmp_path: Path, opened: Opened) -> None:
    refusal = opened(cut_in_sequence(ct_slice, tmp_path / "broken.dcm"))

    assert isinstance(refusal, Refusal)
    assert "pixels" == refusal.code


@pytest.mark.parametrize("opened", [film, series])
def test_what_the_disk_does_not_give_is_no_fault_of_the_file(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "lost.dcm")
