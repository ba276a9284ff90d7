"""PNG and JPEG pictures, as files and as frames; one that is damaged is told from a sound one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
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
from inference.jpeg_damage import undamaged
from inference.jpeg_head import DamageError
from inference.types import Radiograph

PNG, JPEG = b"\x89PNG", b"\xff\xd8\xff"
SIGNATURES: Mapping[bytes, type[ImageFile]] = {PNG: PngImageFile, JPEG: JpegImageFile}


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
    try:
        picture = picture_values(content)
    except DamageError as error:
        raise UnreadablePixelsError("pixels", f"file: {error}") from error
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2GRAY)
    white = np.float32(255.0 if picture.dtype == np.uint8 else 65535.0)
    return Radiograph(np.asarray(picture, np.float32) / white, attributes={})


def picture_values(content: bytes) -> NDArray[Any]:
    """Return the values of a PNG or JPEG stream, (rows, columns) or (rows, columns, 3 or 4).

    Raises
    ------
    DamageError
        It is damaged, or none.
    UnsuitableFilmError
        More than 100 million pixels (`pixels`).
    """
    require_plausible_size(*picture_size(content))
    return decoded_picture(content)


def picture_size(content: bytes) -> tuple[int, int]:
    """Return rows and columns as the head of a PNG or JPEG stream says, without decoding it."""
    kind = next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)
    if kind is None:
        raise DamageError("no PNG or JPEG")
    try:
        columns, rows = kind(BytesIO(content)).size
    except Exception as error:  # the parser raises anything on damaged bytes
        raise DamageError(f"a damaged PNG or JPEG ({type(error).__name__})") from error
    return rows, columns


def decoded_picture(content: bytes) -> NDArray[Any]:
    """Return the values of a PNG or JPEG stream; raises DamageError."""
    try:
        # A PNG has checksums, and its decoder says so itself.
        with undamaged(content) if content.startswith(JPEG) else nullcontext(content) as stream:
            picture = cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DamageError(f"a PNG or JPEG that cannot be decoded ({error.err})") from error
    if picture is None:
        raise DamageError("a damaged PNG or JPEG")
    return np.asarray(picture)
