"""The header of a file that is to be de-identified, read up to its pixels."""

from __future__ import annotations

import io
import os
import tempfile
from math import prod
from typing import BinaryIO, cast

from pydicom import config, dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from dicom_node.deidentify.blanking import blank
from dicom_node.deidentify.pixel_stream import PixelElement, copy_bytes, exactly, skip_pixels
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.stored_pixels import StoredPixels, UnblankableError
from dicom_node.errors import is_from_disk
from inference.deflated import MOST_BYTES, undeflated
from inference.errors import FilmError

_SYNTAXES = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
# Bits of native pixel data.
_PIXELS = 0x7FE00000
_FACTORS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")


def opened(source: BinaryIO) -> tuple[BinaryIO, Dataset]:
    """Return a file and its data set up to the pixels, at which the file then stands; inflated where it was deflated.

    Raises
    ------
    RefusedError
        It is no DICOM instance, or cannot be read.
    """
    source = _inflated(source)
    return source, _header(source)


def blanked(
    source: BinaryIO, original: Dataset, element: PixelElement | None, rectangles: tuple[Rectangle, ...]
) -> tuple[BinaryIO, Dataset]:
    """Return, as `opened` does, a file with rectangles of its pixels black.

    Native little endian frames go one by one through a file on disk; all else is held in memory.

    Parameters
    ----------
    element
        At whose first byte of pixels the source stands.

    Raises
    ------
    RefusedError
        The pixels cannot be decoded, or the rectangles do not fit.
    """
    is_native = original.file_meta.TransferSyntaxUID in {ImplicitVRLittleEndian, ExplicitVRLittleEndian}
    try:
        if is_native and element is not None and element.length is not None:
            return _blanked_frames(source, original, element, rectangles)
        made = blank(_whole(source), rectangles)
    except UnblankableError as error:
        raise RefusedError("blanking", str(error)) from error
    source = _in_memory(made)
    return source, _header(source)


def _blanked_frames(
    source: BinaryIO, original: Dataset, element: PixelElement, rectangles: tuple[Rectangle, ...]
) -> tuple[BinaryIO, Dataset]:
    stored, start = StoredPixels.of(original), source.tell()
    length = prod(stored.shape[1:]) * stored.dtype.itemsize
    left = (element.length or 0) - length * stored.frames
    if left < 0:
        raise UnblankableError(f"Pixel Data is {-left} bytes shorter than its image (PS3.5 8.1.1)")
    made = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - handed on, and gone with its last reader
    source.seek(0)
    copy_bytes(source, made, start)
    one = Dataset({each.tag: each for each in original.values()})  # not of its dictionary, which would be shared
    one.file_meta = original.file_meta
    implicit, little = original.original_encoding
    one.set_original_encoding(implicit, little, original.original_character_set)
    one.add_new("NumberOfFrames", "IS", 1)
    for _ in range(stored.frames):
        one.add_new("PixelData", "OW" if stored.bits_allocated > 8 else "OB", exactly(source, length))
        header = blank(one, rectangles)
        made.write(header.PixelData)
        del header.PixelData
    copy_bytes(source, made, left)
    made.seek(start - len(element.header))
    if "NumberOfFrames" in original:
        header["NumberOfFrames"] = original["NumberOfFrames"]
    else:
        del header.NumberOfFrames
    return made, header


def require_length(original: Dataset, element: PixelElement | None) -> None:
    """Raise where native pixels are not as long as their image.

    Raises
    ------
    RefusedError
        They are longer (a frame that nobody counted, or a text) or shorter.
    """
    if element is None or element.length is None:
        return
    bits = prod(int(original.get(keyword) or 1) for keyword in _FACTORS)
    if str(original.get("PhotometricInterpretation")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    length = (bits + 7) // 8
    if element.length > length + length % 2:
        raise RefusedError("surplus", "Pixel Data (7FE0,0010) is longer than its image (PS3.5 8.1.1)")
    if element.length < length:
        raise RefusedError("truncated", "Pixel Data (7FE0,0010) is shorter than its image (PS3.5 8.1.1)")


def require_order(source: BinaryIO, header: Dataset, element: PixelElement) -> None:
    """Raise where attributes of the header stand behind the pixels; the file stands where it stood.

    Nobody reads them there, and what they name could not be looked for.

    Raises
    ------
    RefusedError
        One does (PS3.5 7.1: data elements are in the order of their tags).
    """
    position = source.tell()
    implicit, little = header.original_encoding
    try:
        skip_pixels(source, element)
        behind = read_dataset(source, bool(implicit), bool(little))
    except Exception:  # no data elements: never written, and nothing of the header
        return
    finally:
        source.seek(position)
    if any(tag < _PIXELS for tag in behind.keys()):  # noqa: SIM118 - a Dataset iterates elements
        raise RefusedError("malformed", "attributes stand behind the pixels, out of their order (PS3.5 7.1)")


def _inflated(source: BinaryIO) -> BinaryIO:
    try:
        file = undeflated(source, MOST_BYTES)
        file.seek(0, os.SEEK_END)  # to the end: what is wrong with it is to be found here
    except FilmError as error:
        raise RefusedError("too-large", error.reason) from error
    except Exception as error:  # whatever pydicom and zlib raise at what is no DICOM
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the file
        raise RefusedError("unreadable", f"cannot be read as DICOM ({type(error).__name__})") from error
    return file


def _header(source: BinaryIO) -> Dataset:
    source.seek(0)
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE  # a warning would quote a value
    try:
        dataset = dcmread(source, stop_before_pixels=True, force=True)
    except Exception as error:  # whatever pydicom and zlib raise at what is no DICOM
        if is_from_disk(error):
            raise
        raise RefusedError("unreadable", f"cannot be read as DICOM ({type(error).__name__})") from error
    finally:
        config.settings.reading_validation_mode = before
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    meta = dataset.file_meta
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage or "DirectoryRecordSequence" in dataset:
        raise RefusedError("directory", "a DICOMDIR names patients; it is not taken over")
    if not (dataset.get("SOPClassUID") and dataset.get("SOPInstanceUID")):
        raise RefusedError("no-instance", "SOP Class UID or SOP Instance UID is absent: no DICOM instance")
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        meta.TransferSyntaxUID = _SYNTAXES[bool(implicit), bool(little)]
    if not UID(meta.TransferSyntaxUID).is_transfer_syntax:
        raise RefusedError("syntax", "Transfer Syntax UID (0002,0010) is private, or newer than what is known here")
    return dataset


def _whole(source: BinaryIO) -> FileDataset:
    source.seek(0)
    try:
        return dcmread(source, force=True)
    except Exception as error:
        raise RefusedError("unreadable", f"cannot be read whole ({type(error).__name__})") from error


def _in_memory(dataset: Dataset) -> BinaryIO:
    buffer = io.BytesIO()
    try:
        dataset.save_as(buffer, enforce_file_format=True)
    except Exception as error:
        raise RefusedError("unwritable", f"cannot be written again ({type(error).__name__})") from error
    return buffer
