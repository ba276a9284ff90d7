"""A picture in another transfer syntax: the same instance in fewer bytes, no pixel differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType

from pydicom import dcmread, dcmwrite
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, SecondaryCaptureImageStorage

from structured_reports.forms import ENCODINGS
from structured_reports.port import ResultObject

# Named, so that no slower plug-in that happens to be installed takes its place
_ENCODERS: Mapping[str, str] = MappingProxyType({JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"})


def is_picture(result: ResultObject) -> bool:
    """Return whether the object is a picture that can be encoded."""
    return result.sop_class_uid == SecondaryCaptureImageStorage


def encoded(picture: ResultObject, encoding: str) -> ResultObject | None:
    """Return an uncompressed picture in a lossless encoding of `ENCODINGS`; None where the encoder refuses it.

    An encoder refuses what does not become smaller, and sides of a few pixels. The uncompressed picture is there
    in any case: a result must not wait for its second form.

    Notes
    -----
    JPEG 2000 decorrelates the colours, which halves the size. Reversibly so, and PhotometricInterpretation says it
    (PS3.5 8.2.4): a decoder gives the same RGB back.
    """
    syntax = ENCODINGS[encoding]
    dataset = dcmread(BytesIO(picture.content))
    if syntax == JPEG2000Lossless:
        dataset.PhotometricInterpretation = "YBR_RCT"
    try:
        dataset.compress(syntax, encoding_plugin=_ENCODERS[syntax], generate_instance_uid=False)
    except RuntimeError:  # of pydicom, whatever the plug-in raised
        return None
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return replace(
        picture,
        content=buffer.getvalue(),
        transfer_syntax_uid=syntax,
        picture=None,
        form=encoding,
        alternative_to=picture.uid,
    )
