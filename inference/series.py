"""What makes slices one volume of one patient, whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from inference.errors import UnsuitableFilmError
from inference.film import HEADER_FAULTS, header_fault
from inference.guard import Guard
from inference.image_pixel import require_size
from inference.projection import allowed_attributes
from inference.stack import Stack

# About a thousand slices of 512 x 512; each voxel takes up to 20 bytes on its way to the grid of the model.
MOST_VOXELS = 300_000_000

# Whose the slices are, and in which coordinates: one volume is of one patient in one place (PS3.3 C.7.1.1, C.7.4.1).
ONE_OF_EACH = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID")


def require_series(headers: Sequence[Dataset], guard: Guard) -> None:
    """Raise unless a model may read the series, and its slices are one volume of one patient.

    Parameters
    ----------
    headers
        As the files have them, identity included; pixels are not looked at.

    Raises
    ------
    FilmError
        What the guard says of any slice; slices of several patients or places (`identity`); no even stack
        (`geometry`); more voxels than any scanner makes, or an element in a form that is none (`pixels`).
    """
    try:
        require_guarded(headers, guard)
        require_one_of_each(headers)
        require_plausible_volume(headers)
    except HEADER_FAULTS as error:
        raise header_fault("a slice", error) from error


def require_guarded(headers: Sequence[Dataset], guard: Guard) -> None:
    """Raise what the guard says of any slice."""
    for each in headers:
        if refused := guard.refusal(allowed_attributes(each)):
            raise refused


def require_one_of_each(headers: Sequence[Dataset]) -> None:
    """Raise for slices of several patients or places; the values themselves are not named."""
    for keyword in ONE_OF_EACH:
        if len({str(each.get(keyword) or "") for each in headers}) > 1:
            raise UnsuitableFilmError(
                "identity", f"{keyword}: differs within the series; a volume is of one patient and place"
            )


def require_plausible_volume(headers: Sequence[Dataset]) -> None:
    """Raise for slices that are no even stack, or one of more voxels than any scanner makes."""
    for each in headers:
        require_size(each)
    rows, columns = Stack.of(headers).size
    voxels = len(headers) * rows * columns
    if voxels > MOST_VOXELS:
        raise UnsuitableFilmError("pixels", f"slices × Rows × Columns: {voxels}; a series has at most {MOST_VOXELS}")
