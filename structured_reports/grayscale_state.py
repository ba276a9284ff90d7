"""How a film is shown under a presentation state: as a viewer shows it without one.

A presentation state replaces all grayscale transformations of the image that it is applied to (PS3.4 N.2), so one
that left a window or an inversion out would show the film otherwise than the node displayed it. highdicom's
constructor is not used: it writes IDENTITY for MONOCHROME1, and refuses headers with a window beside a table.
"""

from __future__ import annotations

from fractions import Fraction

from pydicom.dataset import Dataset

from structured_reports.header import SourceHeader
from structured_reports.spacing import pixel_aspect

_LINEAR = "LINEAR"
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")  # VOILUTFunction, enumerated values (PS3.3 C.11.2.1.3)


def add_grayscale(dataset: Dataset, header: SourceHeader) -> None:
    """Add the Modality LUT, Softcopy VOI LUT and Softcopy Presentation LUT Modules (PS3.3 C.11.1, C.11.8, C.11.6)."""
    _add_modality_lut(dataset, header)
    voi = _table(header, "VOILUTSequence") or _window(header)
    if voi is not None:
        dataset.SoftcopyVOILUTSequence = [voi]
    dataset.PresentationLUTShape = "INVERSE" if _is_inverted(header) else "IDENTITY"


def displayed_area(header: SourceHeader, rows: int, columns: int) -> Dataset:
    """Return the whole film, in the proportions of the body (PS3.3 C.10.4).

    The proportions are a ratio, not a spacing: a spacing here would be taken for one at the patient.
    """
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [columns, rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    ratio = Fraction(pixel_aspect(header)).limit_denominator(1000)
    item.PresentationPixelAspectRatio = [ratio.numerator, ratio.denominator]
    return item


def _add_modality_lut(dataset: Dataset, header: SourceHeader) -> None:
    table = _table(header, "ModalityLUTSequence")
    if table is not None:
        item = table.ModalityLUTSequence[0]
        source = header.text.ModalityLUTSequence[0]
        item.ModalityLUTType = str(source.get("ModalityLUTType") or "US")  # US: unspecified (PS3.3 C.11.1.1.2)
        dataset.ModalityLUTSequence = [item]
        return
    slope, intercept = _number(header, "RescaleSlope"), _number(header, "RescaleIntercept")
    if slope or intercept:
        dataset.RescaleIntercept = intercept or 0
        dataset.RescaleSlope = slope or 1
        dataset.RescaleType = str(header.get("RescaleType") or "US")


def _window(header: SourceHeader) -> Dataset | None:
    """Return the first window, the one that is shown; without any the range of the pixels, where the source says it."""
    center, width = _number(header, "WindowCenter"), _number(header, "WindowWidth")
    function = str(header.get("VOILUTFunction") or _LINEAR)
    if center is None or width is None or width <= 0:
        return _range(header)
    item = Dataset()
    # A LINEAR window is at least 1 wide (PS3.3 C.11.2.1.2)
    item.WindowCenter, item.WindowWidth = center, max(width, 1.0) if function == _LINEAR else width
    if function in _FUNCTIONS and function != _LINEAR:
        item.VOILUTFunction = function
    return item


def _range(header: SourceHeader) -> Dataset | None:
    low, high = _number(header, "SmallestImagePixelValue"), _number(header, "LargestImagePixelValue")
    if low is None or high is None or high <= low:
        return None
    slope, intercept = _number(header, "RescaleSlope") or 1.0, _number(header, "RescaleIntercept") or 0.0
    ends = sorted((low * slope + intercept, high * slope + intercept))
    item = Dataset()
    item.WindowCenter, item.WindowWidth = (ends[0] + ends[1] + 1) / 2, ends[1] - ends[0] + 1
    return item


def _table(header: SourceHeader, keyword: str) -> Dataset | None:
    """Return an item with the first table of a sequence in a sequence of that name, as it stands in the source."""
    tables = header.get(keyword)
    if not tables or len(tables[0].get("LUTDescriptor") or ()) != 3 or not tables[0].get("LUTData"):
        return None
    table = Dataset()
    first = int(tables[0].LUTDescriptor[1])
    # The data set has no PixelRepresentation to tell the two apart by
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [int(part) for part in tables[0].LUTDescriptor])
    data = tables[0].LUTData
    table.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    item = Dataset()
    setattr(item, keyword, [table])
    return item


def _is_inverted(header: SourceHeader) -> bool:
    """Return whether the lowest value is white (PS3.3 C.11.6.1.2)."""
    shape = header.get("PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return bool(shape == "INVERSE")
    return bool(header.get("PhotometricInterpretation") == "MONOCHROME1")


def _number(header: SourceHeader, keyword: str) -> float | None:
    """Return the first value of a number element, None where it is absent or no number."""
    value = header.get(keyword)
    try:
        first = value if value is None or isinstance(value, str | int | float) else value[0]
        return None if first in (None, "") else float(first)
    except (TypeError, ValueError, IndexError):
        return None
