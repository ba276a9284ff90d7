"""From stored values to what a display shows: the grayscale pipeline of PS3.4 Annex N.2.

References
----------
* DICOM Standard, Part 3, C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.11.6 (Presentation LUT)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from inference.decoding import StoredValues
from inference.errors import UnreadablePixelsError
from inference.lut import LookupTable

Floats = NDArray[np.float32]


def displayed(values: StoredValues, padding: NDArray[np.bool_] | None, dataset: Dataset) -> Floats:
    """Return the image as a display shows it, 0.0 black to 1.0 white; padding is black."""
    pixels = values_of_interest(modality_values(values, dataset), padding, dataset)
    if is_inverted(dataset):
        np.subtract(1.0, pixels, out=pixels)
    if padding is not None:
        pixels[padding] = 0.0
    return pixels


def padding_mask(values: StoredValues, dataset: Dataset) -> NDArray[np.bool_] | None:
    """Return where the image is padded, or None where it is nowhere (PS3.3 C.7.5.1.1.2)."""
    value = stored_number(dataset, "PixelPaddingValue")
    if value is None:  # a limit alone limits nothing
        return None
    limit = stored_number(dataset, "PixelPaddingRangeLimit")
    low, high = (value, value) if limit is None else sorted((value, limit))
    padding: NDArray[np.bool_] = (values >= low) & (values <= high)
    return padding if padding.any() else None


def stored_number(dataset: Dataset, keyword: str) -> int | None:
    """Return an element of VR US or SS with the sign of the pixels, None where it is absent or empty.

    Writers often choose the other VR; of what a reader does not know it comes as two bytes.

    Raises
    ------
    UnreadablePixelsError
        No number (`pixels`).
    """
    value = dataset.get(keyword)
    if value in (None, "", b""):
        return None
    try:
        number = int(two_bytes(value) if isinstance(value, bytes) else value)
    except (TypeError, ValueError) as error:
        raise no_number(keyword, "one number of VR US or SS") from error
    bits = int(dataset.BitsAllocated)
    if dataset.PixelRepresentation == 1:
        return number - (1 << bits) if number >= 1 << (bits - 1) else number
    return number + (1 << bits) if number < 0 else number


def two_bytes(value: bytes) -> int:
    """Return the number in two bytes; of another length they are none, whatever they spell."""
    if len(value) != 2:
        raise ValueError(f"{len(value)} bytes")
    return int.from_bytes(value, "little")


def modality_values(values: StoredValues, dataset: Dataset) -> Floats:
    """Return the output of the Modality LUT as float32 (PS3.3 C.11.1)."""
    if dataset.get("ModalityLUTSequence"):
        table = LookupTable.of(dataset.ModalityLUTSequence[0], "ModalityLUTSequence")
        return table.outputs(values)
    rescaled = values.astype(np.float32)
    slope, intercept = first_number(dataset, "RescaleSlope"), first_number(dataset, "RescaleIntercept")
    if slope == 0.0 and values.size and values.min() < values.max():  # an empty slice of a PET may have none
        raise UnreadablePixelsError("pixels", "RescaleSlope: 0; every value would be one (PS3.3 C.11.1)")
    if slope not in (None, 1.0):
        rescaled *= np.float32(slope)
    if intercept:
        rescaled += np.float32(intercept)
    return rescaled


def values_of_interest(values: Floats, padding: NDArray[np.bool_] | None, dataset: Dataset) -> Floats:
    """Return the output of the VOI LUT, 0.0 to 1.0; its table is preferred to its window (PS3.3 C.11.2).

    Of several windows the first is taken. Without any, the range of the values outside the padding is shown.
    """
    if dataset.get("VOILUTSequence"):
        table = LookupTable.of(dataset.VOILUTSequence[0], "VOILUTSequence")
        return table.outputs(values) / np.float32(table.ceiling)
    center, width = first_number(dataset, "WindowCenter"), first_number(dataset, "WindowWidth")
    if center is None or width is None or width <= 0.0:
        return stretched(values, padding)
    return windowed(values, center, width, str(dataset.get("VOILUTFunction") or "LINEAR"))


def windowed(values: Floats, center: float, width: float, function: str) -> Floats:
    """Return the values under a window (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - np.float32(center)) / np.float32(width), -80.0, 80.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)), np.float32)
    if function != "LINEAR_EXACT":
        center, width = center - 0.5, width - 1.0
    if width <= 0.0:  # LINEAR of width 1 is a step
        return (values > np.float32(center)).astype(np.float32)
    return clipped_line(values, 1.0 / width, 0.5 - center / width)


def stretched(values: Floats, padding: NDArray[np.bool_] | None) -> Floats:
    """Return the values with their range outside the padding spread from 0.0 to 1.0."""
    shown = values if padding is None else values[~padding]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)
    if high <= low:
        return np.zeros_like(values)
    return clipped_line(values, 1.0 / (high - low), -low / (high - low))


def clipped_line(values: Floats, slope: float, intercept: float) -> Floats:
    """Return slope times value plus intercept, within [0, 1], in place."""
    values *= np.float32(slope)
    values += np.float32(intercept)
    return np.clip(values, 0.0, 1.0, out=values)


def is_inverted(dataset: Dataset) -> bool:
    """True if the lowest value is white, by PresentationLUTShape or else MONOCHROME1 (PS3.3 C.11.6.1.2)."""
    shape = dataset.get("PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return bool(shape == "INVERSE")
    return bool(dataset.PhotometricInterpretation == "MONOCHROME1")


def first_number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of a number element, None where it is absent or empty.

    Raises
    ------
    UnreadablePixelsError
        No number, or none that is finite (`pixels`).
    """
    value = dataset.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else None
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise no_number(keyword, "a decimal number") from error
    if not math.isfinite(number):
        raise no_number(keyword, "a decimal number")
    return number


def no_number(keyword: str, rule: str) -> UnreadablePixelsError:
    """Return the refusal of an element that holds what may be anything, which it does not tell."""
    return UnreadablePixelsError("pixels", f"{keyword}: no number; it is {rule} (PS3.5 6.2)")
