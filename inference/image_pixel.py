"""What a header says of the form of its pixels, held against the rules of the standard before they are decoded.

References
----------
* DICOM Standard, Part 3, C.7.6.3 (Image Pixel)
* DICOM Standard, Part 5, 8.1.1 (bits of a pixel cell)
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments

from inference.errors import UnreadablePixelsError, UnsuitableFilmError
from inference.header_terms import quoted

# The largest detectors have a sixth of it; what is larger takes the memory of everything else.
MOST_PIXELS = 100_000_000
# How a codestream begins: JPEG and JPEG-LS, JPEG 2000, and this as a file of its own.
CODESTREAMS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
REQUIRED = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
)


def require_size(dataset: Dataset) -> None:
    """Raise for an image without area, or one that no detector makes; where it does not say, decoding refuses it."""
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if not {None, ""} & {rows, columns}:
        require_plausible_size(int(rows), int(columns))


def require_plausible_size(rows: int, columns: int) -> None:
    """Raise for an image without area, or one that no detector makes."""
    if min(rows, columns) < 1:
        raise UnreadablePixelsError("pixels", f"Rows × Columns: {rows} × {columns}; an image has one pixel at least")
    if rows * columns > MOST_PIXELS:
        raise UnsuitableFilmError("pixels", f"Rows × Columns: {rows} × {columns}; a film has at most {MOST_PIXELS}")


def require_description(dataset: Dataset) -> None:
    """Raise unless pixel data and the elements that describe them are there (PS3.3 C.7.6.3)."""
    if not dataset.get("PixelData"):
        raise UnreadablePixelsError("pixels", "PixelData: absent; an image needs it (PS3.3 C.7.6.3)")
    absent = [keyword for keyword in REQUIRED if dataset.get(keyword) in (None, "")]
    if absent:
        raise UnreadablePixelsError("pixels", f"{', '.join(absent)}: absent or empty (PS3.3 C.7.6.3, type 1)")
    require_pixel_cell(dataset)


def require_pixel_cell(dataset: Dataset) -> None:
    """Raise for bits that contradict each other: values read by them would be others than those that were written."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if allocated != 1 and allocated % 8:
        reason = f"BitsAllocated: {allocated}; it is 1 or a multiple of 8 (PS3.5 8.1.1)"
        raise UnreadablePixelsError("pixels", reason)
    if not 1 <= stored <= allocated:
        reason = f"BitsStored: {stored}; it is 1 to BitsAllocated, which is {allocated} (PS3.5 8.1.1)"
        raise UnreadablePixelsError("pixels", reason)
    sign = int(dataset.PixelRepresentation)
    if sign not in (0, 1):
        raise UnreadablePixelsError("pixels", f"PixelRepresentation: {sign}; it is 0 or 1 (PS3.3 C.7.6.3)")


def require_lowest_bits(dataset: Dataset) -> None:
    """Raise for native values that do not lie in the lowest bits of their cells; a codestream says by itself where.

    A high bit below the place that BitsStored gives it is a slip of the writer: the values lie where they always do.
    """
    high, stored = dataset.get("HighBit"), int(dataset.BitsStored)
    if high not in (None, "") and int(high) >= stored:
        reason = f"HighBit: {int(high)}; it is one less than BitsStored, which is {stored} (PS3.5 8.1.1)"
        raise UnreadablePixelsError("pixels", reason)


def require_native_length(dataset: Dataset) -> None:
    """Raise for native pixel data that end before Rows and Columns or go on behind: another image, or one cut off.

    Padding of any length is let pass, as files in use have it: bytes that are all the same.
    """
    said = -(-int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) // 8)
    rest = bytes(dataset.PixelData[said + said % 2 :])  # values have an even length (PS3.5 6.2)
    if len(dataset.PixelData) < said or rest.strip(rest[:1]):
        reason = f"PixelData: {len(dataset.PixelData)} bytes; Rows, Columns and BitsAllocated say {said} (PS3.5 8.1.1)"
        raise UnreadablePixelsError("pixels", reason)


def require_one_coded_frame(dataset: Dataset) -> None:
    """Raise for encapsulated pixel data of several frames, also where NumberOfFrames does not count them (PS3.5 A.4).

    One frame may come in several fragments, of which the first alone begins a codestream. Frames of RLE without an
    offset table are not told from its fragments.
    """
    table, *fragments = generate_fragments(dataset.PixelData)
    begun = 1 + sum(each.startswith(CODESTREAMS) for each in fragments[1:])
    frames = max(len(table) // 4, len(dataset.get("ExtendedOffsetTable") or b"") // 8, begun)
    if frames > 1:
        raise UnsuitableFilmError("frames", f"PixelData: {frames} frames; a film has one frame")


def require_one_grey_frame(dataset: Dataset) -> None:
    """Raise for colour and for several frames."""
    photometric = str(dataset.PhotometricInterpretation)
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or dataset.get("SamplesPerPixel", 1) != 1:
        raise UnsuitableFilmError(
            "photometric",
            f"{quoted('PhotometricInterpretation', photometric)}; a film is MONOCHROME1 or MONOCHROME2",
        )
    frames = dataset.get("NumberOfFrames") or 1
    if int(frames) != 1:
        raise UnsuitableFilmError("frames", f"NumberOfFrames: {int(frames)}; a film has one frame")
