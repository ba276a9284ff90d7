"""Distances, proportions and directions of pixels, as far as the source gives any that can be true."""

from __future__ import annotations

import math
import re

from structured_reports.header import SourceHeader


def pair_of(header: SourceHeader, keyword: str) -> tuple[float, float] | None:
    """Return a pair, of rows first, None where one of the two is absent, zero, negative or not finite.

    Films with a spacing of 0.000 exist. A viewer that is told so measures zero, or draws a line nowhere.

    References
    ----------
    * DICOM Standard, Part 3, 10.7.1.3 (Pixel Spacing Value Order and Valid Values)
    """
    value = header.get(keyword)
    try:
        numbers = [float(part) for part in value or ()]
    except (TypeError, ValueError):  # one number alone, or a word
        return None
    if len(numbers) != 2 or not all(math.isfinite(number) and number > 0 for number in numbers):
        return None
    return numbers[0], numbers[1]


def spacing_mm(header: SourceHeader) -> tuple[float, float] | None:
    """Return the distance of rows and of columns on the detector or, where only that is given, at the patient."""
    return pair_of(header, "ImagerPixelSpacing") or pair_of(header, "PixelSpacing")


def pixel_aspect(header: SourceHeader) -> float:
    """Return height by width of a pixel (PS3.3 10.7.1.3 and C.7.6.3.1.7)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        pair = pair_of(header, keyword)
        if pair is not None:
            return pair[0] / pair[1]
    return 1.0


def directions(header: SourceHeader) -> list[str] | None:
    """Return where rows and columns run to, in capitals; None where the source gives no two directions of a person.

    References
    ----------
    * DICOM Standard, Part 3, C.7.6.1.1.1 (Patient Orientation)
    """
    value = header.get("PatientOrientation")
    if isinstance(value, str) or not value or len(value) != 2:
        return None
    found = [str(one).strip().upper() for one in value]
    return found if all(re.fullmatch("[APRLHF]{1,3}", one) for one in found) else None
