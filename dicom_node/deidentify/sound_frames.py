"""Whether a decoder reads a JPEG or JPEG-LS frame to its end, and finds nothing there that belongs to no pixel.

libjpeg reads ahead: behind a last MCU it overlooks up to seven bytes, of 12 bits and lossless up to three.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import UID, JPEGLSLossless, JPEGLSNearLossless

from dicom_node.deidentify.codestream import STARTS, Codestream
from dicom_node.deidentify.jpeg_segments import MalformedFrameError
from inference.decoding import BY_LIBJPEG, decoder_values, jpeg_values, with_frame
from inference.jpeg_head import DamageError

_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)


def require_sound(frame: Codestream, header: Dataset) -> None:
    """Raise where the decoder stumbles: bytes behind the last MCU of a restart interval or scan are no pixels.

    One frame is in memory, coded and decoded. Frames of other syntaxes are not looked at.

    Raises
    ------
    MalformedFrameError
        The frame is damaged, cut short, or not what its header says.
    """
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if syntax not in (*BY_LIBJPEG, *_JPEG_LS) or frame.at(0, 2) not in STARTS[:1]:
        return
    try:
        _decode(header, syntax, frame.at(0, len(frame)))
    except (KeyboardInterrupt, SystemExit):
        raise
    except DamageError as error:
        raise MalformedFrameError(str(error)) from error
    except BaseException as error:  # decoders raise anything on damaged bytes
        raise MalformedFrameError(f"it cannot be decoded ({type(error).__name__})") from error


def _decode(header: Dataset, syntax: UID, frame: bytes) -> None:
    if syntax in BY_LIBJPEG:
        jpeg_values(header, syntax, frame)
    else:
        decoder_values(with_frame(header, frame), syntax)
