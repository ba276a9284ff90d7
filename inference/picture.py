"""PNG and JPEG pictures, as files and as frames; one that is damaged is told from a sound one."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from inference.errors import UnreadablePixelsError
from inference.image_pixel import require_plausible_size
from inference.types import Radiograph

PNG, JPEG = b"\x89PNG", b"\xff\xd8\xff"
SIGNATURES: Mapping[bytes, type[ImageFile]] = {PNG: PngImageFile, JPEG: JpegImageFile}
# How libjpeg begins what it says of damage that it bridges with whatever comes out (jerror.h).
DAMAGE = (b"Corrupt JPEG data", b"Premature end of JPEG file")
# Padding between the parts of a header is skipped and harms nothing; before the markers of restarts and of the end of
# the image it is what is left of a scan that the decoder lost its way in.
SKIPPED = re.compile(rb"Corrupt JPEG data: \d+ extraneous bytes before marker 0x(?!d[0-9])")
_STANDARD_ERROR = 2
# The standard error belongs to the whole process: of two threads each would take away what the other is told.
_ONE_AT_A_TIME = threading.Lock()


def picture_film(content: bytes) -> Radiograph:
    """Return the film in a PNG or JPEG stream: grey, full range of its type, stored orientation.

    A PNG has checksums. A JPEG has none: damage is told where the decoder stumbles over it. It does so nearly always
    over hundreds of bytes, but over one of three bytes that are altered alone; the others change the levels of some
    blocks, and nobody can tell that they are not those of the film.

    Raises
    ------
    UnsuitableFilmError
        More than 100 million pixels (`pixels`).
    UnreadablePixelsError
        The stream is damaged (`pixels`).
    """
    picture = picture_values(content)
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2GRAY)
    white = np.float32(255.0 if picture.dtype == np.uint8 else 65535.0)
    return Radiograph(np.asarray(picture, np.float32) / white, attributes={})


def picture_values(content: bytes, place: str = "file") -> NDArray[Any]:
    """Return the values of a PNG or JPEG stream, (rows, columns) or (rows, columns, 3 or 4).

    Parameters
    ----------
    place
        Where it stands, for those who read of its damage.

    Raises
    ------
    FilmError
        As `picture_film`.
    """
    try:
        require_plausible_size(*picture_size(content))
        return decoded_picture(content)
    except DamagedPictureError as error:
        raise UnreadablePixelsError("pixels", f"{place}: {error}") from error


class DamagedPictureError(Exception):
    """What is wrong with a stream."""


def picture_size(content: bytes) -> tuple[int, int]:
    """Return rows and columns as the head of a PNG or JPEG stream says, without decoding it."""
    kind = next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)
    if kind is None:
        raise DamagedPictureError("no PNG or JPEG")
    try:
        columns, rows = kind(BytesIO(content)).size
    except Exception as error:  # the parser raises anything on damaged bytes
        raise DamagedPictureError(f"a damaged PNG or JPEG ({type(error).__name__})") from error
    return rows, columns


def decoded_picture(content: bytes) -> NDArray[Any]:
    """Return the values of a PNG or JPEG stream; raises DamagedPictureError."""
    said: list[bytes] = []
    # A PNG has checksums, and its decoder says so itself.
    listening = standard_error_lines(said) if content.startswith(JPEG) else nullcontext()
    try:
        with listening:
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DamagedPictureError(f"a PNG or JPEG that cannot be decoded ({error.err})") from error
    if picture is None:
        raise DamagedPictureError("a damaged PNG or JPEG")
    damage = next((line for line in said if line.startswith(DAMAGE) and not SKIPPED.match(line)), None)
    if damage is not None:
        raise DamagedPictureError(f"a damaged JPEG ({damage.decode('ascii', 'replace').strip()})")
    return np.asarray(picture)


@contextmanager
def standard_error_lines(said: list[bytes]) -> Iterator[None]:
    """Keep what is written to the standard error of the process, and write it there after all unless it is damage.

    OpenCV takes a damaged JPEG for a sound one, as every decoder here does; that libjpeg writes there what it
    stumbled over is the only sign.
    """
    with _ONE_AT_A_TIME, os.fdopen(os.memfd_create("standard-error"), "w+b") as written:
        kept = standard_error()
        os.dup2(written.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            written.seek(0)
            said += written.readlines()
            with suppress(OSError):  # nobody may read there, and it is no matter of the film
                os.write(_STANDARD_ERROR, b"".join(line for line in said if not line.startswith(DAMAGE)))


def standard_error() -> int:
    """Return a new descriptor of the standard error, or of nothing where it is closed."""
    try:
        return os.dup(_STANDARD_ERROR)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
