"""Decodes compressed frames one by one, blacks out rectangles, and writes them without loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid as uids
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragments, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.stored_pixels import StoredPixels, UnblankableError, black_of
from inference.decoding import BY_LIBJPEG, DECODERS, with_frame
from inference.jpeg_damage import undamaged
from inference.jpeg_head import DamageError
from inference.twelve_bit import twelve_bit_values

# Source and lossless syntax of its family that can be written here. There is no encoder of JPEG and HTJ2K at hand.
_LOSSLESS = {
    uids.RLELossless: uids.RLELossless,
    uids.JPEGLSLossless: uids.JPEGLSLossless,
    uids.JPEGLSNearLossless: uids.JPEGLSLossless,
    uids.JPEG2000Lossless: uids.JPEG2000Lossless,
    uids.JPEG2000: uids.JPEG2000Lossless,
}
# Syntaxes that may lose, and their Defined Terms (PS3.3 C.7.6.1.1.5.1).
_LOSSY = {
    uids.JPEGBaseline8Bit: "ISO_10918_1",
    uids.JPEGExtended12Bit: "ISO_10918_1",
    uids.JPEGLSNearLossless: "ISO_14495_1",
    uids.JPEG2000: "ISO_15444_1",
    uids.HTJ2K: "ISO_15444_15",
}
# What plugins raise about pixels that they cannot write.
_CODEC_ERRORS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError, OSError)
_LONGEST = 2**32 - 2  # of an offset table's entry, and of native pixel data (PS3.5 A.4, 7.1.2)


def recode(result: Dataset, stored: StoredPixels, rectangles: tuple[Rectangle, ...]) -> None:
    """Replace compressed Pixel Data, in place; at most one frame is held decoded beside what is written.

    Raises
    ------
    UnblankableError
        The pixels cannot be decoded, or not be written at all.
    """
    source = UID(result.file_meta.TransferSyntaxUID)
    _mark_lossy(result, stored, source)
    target = _LOSSLESS.get(source, uids.ExplicitVRLittleEndian)
    written = _encoded(result, stored, rectangles, target) if target.is_encapsulated else None
    if written is None:
        target, written = uids.ExplicitVRLittleEndian, _native(result, stored, rectangles)
    frames, layout = written
    if len(frames) != stored.frames:
        raise UnblankableError(f"Pixel Data holds {len(frames)} frames, Number of Frames says {stored.frames}")
    _write(result, target, frames, layout)


def decoded_frames(
    dataset: Dataset, stored: StoredPixels, rectangles: tuple[Rectangle, ...]
) -> Iterator[tuple[NDArray[np.integer], StoredPixels]]:
    """Yield each frame, (rows, columns, samples), with rectangles black, and how it is stored.

    Colours stay in the space that the codec gives, since a change of space rounds.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    # pydicom 3.0 corrects signs in place, which fails on what it gives one frame after the other.
    indices = range(stored.frames) if stored.signed else None
    try:
        if syntax in BY_LIBJPEG:
            frames = jpeg_frames(dataset, stored.frames)
        else:
            frames = get_decoder(syntax).iter_array(
                dataset, indices=indices, raw=True, decoding_plugin=DECODERS.get(syntax, "")
            )
        for frame, meta in frames:
            layout = stored.decoded(meta)
            samples = np.array(frame, layout.dtype).reshape(layout.shape)
            layout.fill(samples, rectangles, black_of(dataset, layout))
            yield samples[0], layout
    except (KeyboardInterrupt, SystemExit, GeneratorExit, UnblankableError):
        raise
    except DamageError as error:
        raise UnblankableError(f"Pixel Data in {syntax.name} cannot be decoded: {error}") from error
    except BaseException as error:  # decoders raise anything on damaged bytes, those in Rust panics besides
        raise UnblankableError(f"Pixel Data in {syntax.name} cannot be decoded") from error


def jpeg_frames(dataset: Dataset, count: int) -> Iterator[tuple[NDArray[Any], dict[str, Any]]]:
    """Yield decoded frames and how each is stored; raises DamageError for one over which libjpeg stumbles.

    By GDCM, which lets libjpeg tell; Pillow keeps it to itself. What is written anew has no trace of the damage.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    tables = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
    offsets = tables if all(tables) else None
    for frame in generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=offsets):
        with undamaged(frame) as stream:
            if is_twelve_bit(dataset, syntax):
                decoded = twelve_bit_frame(dataset, stream)
            else:
                (decoded,) = get_decoder(syntax).iter_array(
                    with_frame(dataset, stream), indices=[0], raw=True, decoding_plugin="gdcm"
                )
        yield decoded


def is_twelve_bit(dataset: Dataset, syntax: UID) -> bool:
    """Return whether frames are of twelve grey bits without sign, which no plug-in of pydicom decodes."""
    kind = (dataset.BitsAllocated, dataset.SamplesPerPixel, dataset.PixelRepresentation)
    return syntax == uids.JPEGExtended12Bit and kind == (16, 1, 0)


def twelve_bit_frame(dataset: Dataset, stream: bytes) -> tuple[NDArray[np.uint16], dict[str, Any]]:
    """Return a decoded frame of twelve bits and how it is stored."""
    layout = {
        "bits_allocated": 16,
        "bits_stored": min(int(dataset.BitsStored), 12),
        "pixel_representation": 0,
        "photometric_interpretation": dataset.PhotometricInterpretation,
    }
    return twelve_bit_values(dataset, stream), layout


def _encoded(
    dataset: Dataset, stored: StoredPixels, rectangles: tuple[Rectangle, ...], target: UID
) -> tuple[list[bytes], StoredPixels] | None:
    """Return the frames in a syntax, or None where its encoder does not give back what it was given."""
    frames: list[bytes] = []
    for samples, layout in decoded_frames(dataset, stored, rectangles):
        options: dict[str, Any] = {
            "rows": layout.rows, "columns": layout.columns, "number_of_frames": 1,
            "samples_per_pixel": layout.samples, "photometric_interpretation": layout.photometric,
            "bits_allocated": layout.bits_allocated, "bits_stored": layout.bits_stored,
            "pixel_representation": int(layout.signed), "planar_configuration": 0, "pixel_keyword": "PixelData",
        }  # fmt: skip
        plane = samples if layout.samples > 1 else samples[..., 0]
        try:
            frame = get_encoder(target).encode(plane, **options)
            again, _ = get_decoder(target).as_array(encapsulate([frame]), raw=True, **options)
        except _CODEC_ERRORS:
            return None
        if not np.array_equal(plane, again):
            return None
        frames.append(frame)
    return frames, layout


def _native(
    dataset: Dataset, stored: StoredPixels, rectangles: tuple[Rectangle, ...]
) -> tuple[list[bytes], StoredPixels]:
    frames = []
    for samples, layout in decoded_frames(dataset, stored, rectangles):
        frames.append(samples.astype(layout.dtype.newbyteorder("<"), copy=False).tobytes())
    return frames, layout


def _write(result: Dataset, target: UID, frames: list[bytes], layout: StoredPixels) -> None:
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in result:
            del result[keyword]
    length = sum(len(frame) for frame in frames)
    if target.is_encapsulated and length + 8 * len(frames) > _LONGEST:
        value, offsets, lengths = encapsulate_extended(frames)
        result.ExtendedOffsetTable, result.ExtendedOffsetTableLengths = offsets, lengths
    elif target.is_encapsulated:
        value = encapsulate(frames)
    elif length <= _LONGEST:
        value = b"".join(frames) + b"\0" * (length % 2)
    else:
        raise UnblankableError(f"{length} bytes of pixels are more than native Pixel Data can hold (PS3.5 7.1.2)")
    result.add_new("PixelData", "OB" if target.is_encapsulated or layout.bits_allocated == 8 else "OW", value)
    result["PixelData"].is_undefined_length = target.is_encapsulated
    result.file_meta.TransferSyntaxUID = target
    result.PhotometricInterpretation = layout.photometric
    result.BitsAllocated, result.BitsStored = layout.bits_allocated, layout.bits_stored
    result.HighBit, result.PixelRepresentation = layout.high_bit, int(layout.signed)
    if layout.samples > 1:
        result.PlanarConfiguration = 0


def _mark_lossy(result: Dataset, stored: StoredPixels, source: UID) -> None:
    """Say that pixels were lossy before the syntax that says so is gone (PS3.3 C.7.6.1.1.5)."""
    claimed = result.get("LossyImageCompression")
    # JPEG 2000 may be lossless in a syntax that does not promise it; the others cannot.
    if source not in _LOSSY or claimed == "01" or (claimed == "00" and source in {uids.JPEG2000, uids.HTJ2K}):
        return
    result.LossyImageCompression = "01"
    result.LossyImageCompressionMethod = _LOSSY[source]
    native = int(np.prod(stored.shape)) * stored.dtype.itemsize
    compressed = sum(len(fragment) for fragment in generate_fragments(result.PixelData))
    result.LossyImageCompressionRatio = f"{native / compressed:.4g}"
