"""A film as a model reads it, from DICOM or from a picture."""

from __future__ import annotations

import math
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

from inference.decoding import stored_values
from inference.deflated import read_instance
from inference.errors import UNREADABLE, FilmError, UnreadablePixelsError, UnsuitableFilmError
from inference.grayscale import displayed, padding_mask
from inference.guard import Guard
from inference.image_pixel import require_size
from inference.picture import SIGNATURES, picture_film
from inference.projection import allowed_attributes
from inference.types import Radiograph

# What values of the wrong number, type or range raise, here and in pydicom.
HEADER_FAULTS = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    BytesLengthException,
)

# Spacing of the patient and of the detector, mm; without them what other elements say of the form of a pixel.
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
ASPECTS = ("NominalScannedPixelSpacing", "PixelAspectRatio")
# Part by which height and width of a pixel may differ.
SQUARE_TOLERANCE = 0.02


def to_radiograph(dataset: Dataset) -> Radiograph:
    """Return the image of a data set as a display shows it, without identity.

    Raises
    ------
    UnsuitableFilmError
        Colour (`photometric`), several frames (`frames`), nothing but padding, or more than 100 million pixels
        (`pixels`).
    UnreadablePixelsError
        Pixel data absent, without area or damaged (`pixels`), or in a transfer syntax without decoder (`syntax`).

    References
    ----------
    * DICOM Standard, Part 4, Annex N.2: the grayscale transformations in their order
    """
    require_readable_size(dataset)
    try:
        return shown_radiograph(dataset)
    except HEADER_FAULTS as error:
        raise header_fault("the image", error) from error


def header_fault(part: str, error: Exception) -> UnreadablePixelsError:
    """Return the refusal of an image, a slice or the like for what an element of it raised."""
    reason = f"header: an element of {part} has a form that the standard excludes ({type(error).__name__})"
    return UnreadablePixelsError("pixels", reason)


def require_film(dataset: Dataset) -> None:
    """Raise by a header for an image that is no film: as `require_readable_size`; pixels not square (`geometry`).

    A model sees rows and columns alone: a chest of pixels twice as high as wide is to it one of another shape.
    """
    require_readable_size(dataset)
    try:
        require_square_pixels(dataset)
    except HEADER_FAULTS as error:
        raise header_fault("the image", error) from error


def require_square_pixels(dataset: Dataset) -> None:
    """Raise for pixels that are not square by the first element that says how high and how wide they are."""
    for keyword in (*SPACINGS, *ASPECTS):
        if pair := _pair_if_numbers(dataset, keyword):
            if abs(pair[0] / pair[1] - 1.0) > SQUARE_TOLERANCE:
                reason = f"{keyword}: {pair[0]:g} and {pair[1]:g}; pixels of a film are square (PS3.3 C.7.6.3.1.7)"
                raise UnsuitableFilmError("geometry", reason)
            return


def _pair_if_numbers(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    try:
        pair = positive_pair(dataset, keyword)
    except ValueError:
        if keyword in SPACINGS:
            raise
        return None  # nothing else is made of these
    return pair if pair and all(map(math.isfinite, pair)) else None


def require_readable_size(dataset: Dataset) -> None:
    """Raise for an image without area, or one that no detector makes, and for a size that is none (`pixels`)."""
    try:
        require_size(dataset)
    except HEADER_FAULTS as error:
        raise header_fault("the image", error) from error


def shown_radiograph(dataset: Dataset) -> Radiograph:
    """Return the radiograph of a data set whose elements have the form of the standard."""
    values = stored_values(dataset)
    padding = padding_mask(values, dataset)
    if padding is not None and padding.all():
        raise UnsuitableFilmError("pixels", "PixelPaddingValue: the whole image is padding")
    pixels = displayed(values, padding, dataset)
    return Radiograph(pixels, padding, spacing_of(dataset), allowed_attributes(dataset))


def read_film(path: Path, guard: Guard | None = None) -> Radiograph:
    """Return the film in a DICOM, PNG or JPEG file.

    Parameters
    ----------
    guard
        Judges the header before the pixels are asked for, as the node does.

    Raises
    ------
    FilmError
        As `to_radiograph`; the refusal of the guard; pixels that are not square (`geometry`); also a file that is none
        of the three (`format`), or cannot be opened (`unreadable`).
    """
    content = content_of(path)
    if content.startswith(tuple(SIGNATURES)):
        return picture_film(content)
    dataset = data_set(content)
    if guard is not None:
        require_accepted(dataset, guard)
    require_film(dataset)
    return to_radiograph(dataset)


def require_accepted(dataset: Dataset, guard: Guard) -> None:
    """Raise the refusal of a guard that judges the header, or that of a header which nobody can judge (`pixels`)."""
    try:
        refusal = guard.refusal(allowed_attributes(dataset))
    except HEADER_FAULTS as error:
        raise header_fault("the image", error) from error
    if refusal:
        raise refusal


def content_of(path: Path) -> bytes:
    """Return the bytes of a file; raises UnreadablePixelsError where it cannot be opened (`unreadable`)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePixelsError(UNREADABLE, f"file: {error.strerror}") from error


def data_set(content: bytes) -> Dataset:
    """Return the data set in the bytes of a DICOM file, also of one without preamble.

    Raises
    ------
    FilmError
        It is none (`format`), or inflates to more than an image has bytes (`pixels`).
    """
    try:
        dataset = read_instance(BytesIO(content), force=True)
        is_image = "PixelData" in dataset or "SOPClassUID" in dataset
    except (FilmError, MemoryError):
        raise
    except Exception as error:  # the parser raises anything on bytes that are not DICOM
        raise UnreadablePixelsError("format", f"file: no DICOM, PNG or JPEG ({type(error).__name__})") from error
    if not is_image:
        raise UnreadablePixelsError("format", "file: no DICOM data set, PNG or JPEG")
    return dataset


def display_pixels(radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return the film as a viewer shows it: uint8, (rows, columns), on the source grid."""
    shown: NDArray[np.uint8] = np.rint(radiograph.pixels * np.float32(255.0)).astype(np.uint8)
    return shown


def spacing_of(dataset: Dataset) -> tuple[float, float] | None:
    """Return row and column spacing in mm, of the patient before that of the detector, None without."""
    return next((pair for keyword in SPACINGS if (pair := positive_pair(dataset, keyword))), None)


def positive_pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return the two numbers of an element, None where they are not two, or not above zero."""
    value = dataset.get(keyword)
    if isinstance(value, MultiValue) and len(value) == 2 and min(map(float, value)) > 0.0:
        return float(value[0]), float(value[1])
    return None
