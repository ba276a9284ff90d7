"""What makes slices one volume of one patient, whoever reads them."""

from __future__ import annotations

from collections import Counter
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
        What the guard says of any slice; slices of several patients or places, or one instance twice (`identity`);
        no even stack (`geometry`); CT whose values are not in Hounsfield units (`units`); more voxels than any scanner
        makes, or an element in a form that is none (`pixels`).
    """
    try:
        require_guarded(headers, guard)
        require_one_of_each(headers)
        require_plausible_volume(headers)
        require_own_instances(headers)
        require_hounsfield_units(headers)
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


def require_own_instances(headers: Sequence[Dataset]) -> None:
    """Raise for slices that say that they are the same instance: a result could not say which it means."""
    uids = Counter(str(each.SOPInstanceUID) for each in headers if each.get("SOPInstanceUID"))
    most = max(uids.values(), default=1)
    if most > 1:
        reason = f"SOPInstanceUID: the same in {most} of {len(headers)} slices; each instance has its own (PS3.5 9)"
        raise UnsuitableFilmError("identity", reason)


def require_hounsfield_units(headers: Sequence[Dataset]) -> None:
    """Raise for CT slices whose values nobody can bring into Hounsfield units, in which models have their windows."""
    slices = [each for each in headers if each.get("Modality") == "CT"]
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if absent := sum(each.get(keyword) in (None, "") for each in slices):
            rule = f"absent in {absent} of {len(headers)} slices; a CT image has it (PS3.3 C.8.2.1, type 1)"
            raise UnsuitableFilmError("units", f"{keyword}: {rule}")
    # Absent, it is HU. What else stands there is not named: it may be anything.
    if other := sum(each.get("RescaleType") not in (None, "", "HU") for each in slices):
        rule = f"other than HU in {other} of {len(headers)} slices; a model reads CT in HU (PS3.3 C.11.1.1.2)"
        raise UnsuitableFilmError("units", f"RescaleType: {rule}")


def require_plausible_volume(headers: Sequence[Dataset]) -> None:
    """Raise for slices that are no even stack, or one of more voxels than any scanner makes."""
    for each in headers:
        require_size(each)
    rows, columns = Stack.of(headers).size
    voxels = len(headers) * rows * columns
    if voxels > MOST_VOXELS:
        raise UnsuitableFilmError("pixels", f"slices × Rows × Columns: {voxels}; a series has at most {MOST_VOXELS}")
