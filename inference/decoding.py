"""Stored values of one frame, by a decoder chosen for its transfer syntax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from inference.errors import FilmError, UnreadablePixelsError
from inference.image_pixel import (
    require_description,
    require_lowest_bits,
    require_native_length,
    require_one_coded_frame,
    require_one_grey_frame,
)
from inference.jpeg_damage import undamaged
from inference.jpeg_head import DamageError
from inference.picture import picture_values
from inference.twelve_bit import twelve_bit_values

StoredValues = NDArray[Any]

NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
# pydicom tries GDCM first, which is up to four times slower than the best exact decoder, and which ends the
# process on some damaged streams: decode what strangers send in a process of its own.
DECODERS: Mapping[UID, str] = {
    **dict.fromkeys(NATIVE, ""),
    RLELossless: "pylibjpeg",
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "",  # none of pydicom's decodes twelve bits: see twelve_bit.py
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
BY_LIBJPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)


def stored_values(dataset: Dataset) -> StoredValues:
    """Return the stored values of a grey single-frame image, (rows, columns), as PixelRepresentation says.

    Raises
    ------
    UnsuitableFilmError
        Several samples per pixel (`photometric`) or several frames (`frames`).
    UnreadablePixelsError
        No pixel data or a damaged description of them (`pixels`), or no decoder (`syntax`).
    """
    require_description(dataset)
    require_one_grey_frame(dataset)
    syntax = transfer_syntax(dataset)
    if syntax not in DECODERS:
        named = syntax.name if syntax.is_valid else "what is no UID"
        raise UnreadablePixelsError("syntax", f"TransferSyntaxUID: no decoder for {named}")
    if syntax in NATIVE:
        require_lowest_bits(dataset)
        require_native_length(dataset)
    return within_bits_stored(decoded(dataset, syntax), dataset)


def transfer_syntax(dataset: Dataset) -> UID:
    """Return the transfer syntax; that of the encoding where a headless data set does not name it."""
    named = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if named:
        return UID(named)
    is_implicit, is_little = dataset.original_encoding
    if not is_little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian


def decoded(dataset: Dataset, syntax: UID) -> StoredValues:
    """Return what the decoder of a transfer syntax makes of the pixel data, checked against the header."""
    try:
        if syntax not in NATIVE:
            require_one_coded_frame(dataset)
        values = plugin_values(dataset, syntax)
    except (KeyboardInterrupt, SystemExit, MemoryError, FilmError):
        raise
    except DamageError as error:
        raise UnreadablePixelsError("pixels", f"PixelData: {error}") from error
    except BaseException as error:  # decoders raise anything on damaged bytes, those in Rust panics besides
        raise UnreadablePixelsError(
            "pixels", f"PixelData: {syntax.name} is damaged ({type(error).__name__})"
        ) from error
    if values.shape != (dataset.Rows, dataset.Columns):
        raise UnreadablePixelsError(
            "pixels",
            f"PixelData: decoded to {values.shape}, Rows and Columns say {(dataset.Rows, dataset.Columns)}",
        )
    return values


def is_plain(dataset: Dataset, syntax: UID) -> bool:
    """True if the bytes are the values in the order of this machine."""
    return syntax in NATIVE and syntax != ExplicitVRBigEndian and dataset.BitsAllocated in (8, 16, 32)


def plain_values(dataset: Dataset) -> StoredValues:
    """Return native little-endian values as a view of the bytes."""
    kind = "i" if dataset.PixelRepresentation else "u"
    count = dataset.Rows * dataset.Columns
    flat = np.frombuffer(dataset.PixelData, f"<{kind}{dataset.BitsAllocated // 8}", count)
    return flat.reshape(dataset.Rows, dataset.Columns)


def plugin_values(dataset: Dataset, syntax: UID) -> StoredValues:
    """Return values by the plug-in of the table, as they stand, or of a JPEG."""
    if is_plain(dataset, syntax):
        return plain_values(dataset)
    if syntax in BY_LIBJPEG:
        return jpeg_values(dataset, syntax, get_frame(dataset.PixelData, 0, number_of_frames=1))
    return decoder_values(dataset, syntax)


def jpeg_values(dataset: Dataset, syntax: UID, frame: bytes) -> StoredValues:
    """Return the values of a coded frame; raises DamageError where the decoder stumbles over it."""
    if syntax not in (JPEGLossless, JPEGLosslessSV1) and dataset.BitsAllocated == 8:
        return picture_values(frame)
    with undamaged(frame) as stream:
        if syntax == JPEGExtended12Bit:
            return twelve_bit_values(dataset, stream)
        return decoder_values(with_frame(dataset, stream), syntax)


def with_frame(dataset: Dataset, frame: bytes) -> Dataset:
    """Return what describes the pixels of a data set, with one coded frame in the place of its own."""
    described = dataset.group_dataset(0x0028)
    described.file_meta = dataset.file_meta
    # Its elements are those of the data set itself: one that is assigned to would change there too.
    described.add_new("NumberOfFrames", "IS", 1)
    described.PixelData = encapsulate([frame])
    return described


def decoder_values(dataset: Dataset, syntax: UID) -> StoredValues:
    """Return values by the plug-in of the table."""
    values, _ = get_decoder(syntax).as_array(dataset, raw=True, index=0, decoding_plugin=DECODERS[syntax])
    return np.asarray(values)


def within_bits_stored(values: StoredValues, dataset: Dataset) -> StoredValues:
    """Return the values without what old writers keep in the unused high bits (overlays, PS3.5 8.1.1)."""
    unused = values.dtype.itemsize * 8 - int(dataset.BitsStored)
    if values.dtype.kind not in "iu" or unused <= 0:
        return values
    largest = 1 << (int(dataset.BitsStored) - (values.dtype.kind == "i"))
    smallest = -largest if values.dtype.kind == "i" else 0
    if values.min() >= smallest and values.max() < largest:
        return values
    # Shifted up and down again: the sign is extended, the foreign bits fall off.
    return (values << unused) >> unused
