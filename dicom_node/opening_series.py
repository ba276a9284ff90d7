"""From the files of a series to a volume on the grid of a model, in a decoding process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dicom_node.deidentify.projection import projection
from dicom_node.errors import is_from_machine
from inference.deflated import read_instance
from inference.errors import FilmError
from inference.film import display_pixels, to_radiograph
from inference.series import require_series
from inference.volume_preprocessing import PreparedVolume, SeriesGuard, VolumePreprocessing
from structured_reports.port import Refusal
from structured_reports.slices import Slice


@dataclass(frozen=True)
class SeriesJudge:
    """The part of a model of volumes that a decoding process needs."""

    preprocessing: VolumePreprocessing
    guard: SeriesGuard


@dataclass(frozen=True)
class Volume:
    """A decoded series, ready for a model.

    Attributes
    ----------
    instances
        What refers to each slice, in the order of the files.
    """

    prepared: PreparedVolume
    instances: tuple[Slice, ...]


def open_series(paths: Sequence[Path], judge: SeriesJudge) -> Volume | Refusal:
    """Return the volume in the files of a series, or why a model may not read it; runs in a decoding process."""
    try:
        # All headers first: a series of the wrong kind, or one that is not whole, costs no decoding.
        headers = [read_instance(path, stop_before_pixels=True) for path in paths]
        require_series(headers, judge.guard)
        slices = [projection(read_instance(path)) for path in paths]
        named = tuple(Slice(str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in headers)
        return Volume(judge.preprocessing.prepare(slices), named)
    except FilmError as error:
        return Refusal(error.code, error.reason)
    except Exception as error:
        if is_from_machine(error):
            raise  # the study is read again later
        # pydicom raises nearly anything on a broken file. The kind of error names no value of it.
        return Refusal("pixels", f"the series cannot be decoded ({type(error).__name__})")


def open_slice(path: Path) -> NDArray[np.uint8] | Refusal:
    """Return a slice as a viewer shows it, uint8 (rows, columns); runs in a decoding process."""
    try:
        return display_pixels(to_radiograph(projection(read_instance(path))))
    except FilmError as error:
        return Refusal(error.code, error.reason)
