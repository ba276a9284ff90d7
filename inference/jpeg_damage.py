"""What libjpeg says of a damaged scan, which every decoder around it takes for a sound one."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from inference.jpeg_head import DamageError, with_plain_head

# How libjpeg begins what it says of what it bridges with whatever comes out (jerror.h).
DAMAGE = (
    b"Corrupt JPEG data",
    b"Premature end of JPEG file",
    b"Inconsistent progression sequence",
    b"Invalid SOS parameters",
    b"Invalid lossless parameters",
    b"Unknown Adobe color transform",
)
# GDCM tries its libjpeg of 8 bits first on a stream of 12, which is no fault of the stream.
TRIED = (b"Unsupported JPEG data precision",)
LEFT_OVER = re.compile(rb"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
END = b"\xff\xd9"
_STANDARD_ERROR = 2
# The standard error belongs to the whole process: of two threads each would take away what the other is told.
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def undamaged(frame: bytes) -> Iterator[bytes]:
    """Give a JPEG with a plain head to be decoded in a block, and raise DamageError if libjpeg stumbled there.

    Of what follows the first thing over which it stumbles nothing is told, hence the plain head.
    """
    said: list[bytes] = []
    stream = with_plain_head(frame)
    with standard_error_lines(said):
        yield stream
    damage = next((line for line in said if line.startswith(DAMAGE) and not is_padding(line, stream)), None)
    if damage is not None:
        raise DamageError(f"a damaged JPEG ({damage.decode('ascii', 'replace').strip()})")


def is_padding(line: bytes, stream: bytes) -> bool:
    """Return whether what is left over at the end of the scan are zeros, which some writers put there."""
    left, end = LEFT_OVER.match(line), stream.rfind(END)
    return left is not None and not stream[max(end - int(left[1]), 0) : end].strip(b"\0")


@contextmanager
def standard_error_lines(said: list[bytes]) -> Iterator[None]:
    """Keep what is written to the standard error of the process, and write it there after all but for damage and tries.

    OpenCV and GDCM take a damaged JPEG for a sound one, as every decoder here does; that libjpeg writes there what it
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
                os.write(_STANDARD_ERROR, b"".join(line for line in said if not line.startswith(DAMAGE + TRIED)))


def standard_error() -> int:
    """Return a new descriptor of the standard error, or of nothing where it is closed."""
    try:
        return os.dup(_STANDARD_ERROR)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
