"""Blacks out rectangles of an image without touching another pixel.

References
----------
* DICOM Standard, Part 15, E.3.1 (Clean Pixel Data Option)
* DICOM Standard, Part 5, 8.2 and A.4 (encapsulated pixel data)
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_node.deidentify.image_kinds import has_embedded_overlay
from dicom_node.deidentify.recoding import recode
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.stored_pixels import StoredPixels, UnblankableError, black_of

_WRITTEN = (
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio",
    "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


def blank(dataset: Dataset, rectangles: tuple[Rectangle, ...]) -> Dataset:
    """Return a copy with rectangles of all frames black, and no bits of an overlay beside the pixels.

    Native pixels keep their syntax and every byte outside. Compressed ones are decoded frame by frame and written
    without loss: in their family of syntaxes where there is an encoder, else native. What was lossy stays marked as
    such. The icon goes; Burned In Annotation is NO once a rectangle was given. UIDs and Deidentification Method are the
    engine's.

    Parameters
    ----------
    dataset
        With PixelData and the file meta information; it stays as it is.

    Raises
    ------
    UnblankableError
        The pixels cannot be decoded or have no known black, or a rectangle leaves the image.
    """
    if "PixelData" not in dataset:
        raise UnblankableError("there is no Pixel Data (7FE0,0010); float pixel data cannot be blacked out")
    stored = StoredPixels.of(dataset)
    for place in rectangles:
        if not place.fits(stored.rows, stored.columns):
            raise UnblankableError(
                f"the rectangle from column {place.left}, row {place.top} with width {place.width}, height "
                f"{place.height} leaves the image of {stored.rows} rows and {stored.columns} columns"
            )
    result = _copy(dataset)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_encapsulated:
        if has_embedded_overlay(dataset):
            raise UnblankableError("an overlay in the bits beside compressed pixels cannot be cleaned")
        recode(result, stored, rectangles)
    else:
        result["PixelData"].value = _blank_native(dataset, stored, rectangles)
    _tell(result, rectangles)
    return result


def _copy(dataset: Dataset) -> Dataset:
    """Return a data set of the same elements, but its own of those that are written here."""
    pixels = dataset["PixelData"]
    result = Dataset({tag: dataset.get_item(tag) for tag in dataset.keys() if tag != pixels.tag})  # noqa: SIM118
    implicit, little_endian = dataset.original_encoding
    result.set_original_encoding(implicit, little_endian, dataset.original_character_set)
    for keyword in _WRITTEN:
        if keyword in dataset:
            result[keyword] = deepcopy(dataset[keyword])
    result.file_meta = deepcopy(dataset.file_meta)
    result.add_new(pixels.tag, pixels.VR, pixels.value)
    result["PixelData"].is_undefined_length = pixels.is_undefined_length
    return result


def _blank_native(dataset: Dataset, stored: StoredPixels, rectangles: tuple[Rectangle, ...]) -> bytes:
    length = int(np.prod(stored.shape)) * stored.dtype.itemsize
    pixels = bytearray(dataset.PixelData)
    # What follows may be a frame that nobody counted, with the text still in it.
    if len(pixels) < length or any(pixels[length + length % 2 :]):
        raise UnblankableError(f"Pixel Data has {len(pixels)} bytes; its attributes ask for {length} (PS3.5 8.1.1)")
    big_endian = not UID(dataset.file_meta.TransferSyntaxUID).is_little_endian
    # Bytes in words lie the other way round there (PS3.5 8.1.1, Annex D.3).
    swapped = big_endian and stored.bits_allocated == 8 and dataset["PixelData"].VR == "OW"
    if swapped:
        np.frombuffer(pixels, "u2").byteswap(inplace=True)
    dtype = stored.dtype.newbyteorder(">" if big_endian else "<")
    samples = np.frombuffer(pixels, dtype, count=length // dtype.itemsize).reshape(stored.shape)
    stored.fill(samples, rectangles, black_of(dataset, stored))
    if has_embedded_overlay(dataset):
        for frame in samples:
            _keep_stored_bits(frame, stored)
    if swapped:
        np.frombuffer(pixels, "u2").byteswap(inplace=True)
    return bytes(pixels)


def _keep_stored_bits(samples: NDArray[np.integer], stored: StoredPixels) -> None:
    """Clear the bits beside the pixel; above a signed one they repeat its sign."""
    above = stored.bits_allocated - 1 - stored.high_bit
    below = stored.high_bit + 1 - stored.bits_stored
    samples[...] = ((samples << above) >> (above + below)) << below


def _tell(result: Dataset, rectangles: tuple[Rectangle, ...]) -> None:
    """Write into the header what became of the pixels."""
    if rectangles:
        result.BurnedInAnnotation = "NO"
    # The icon shows what was blacked out, and these may no longer be true; all are Type 3 (PS3.3 C.7.6.1, C.7.6.3).
    for keyword in ("IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue"):
        if keyword in result:
            del result[keyword]
