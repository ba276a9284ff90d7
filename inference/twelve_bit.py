"""JPEG Extended with twelve bits (1.2.840.10008.1.2.4.51), which no plug-in of pydicom decodes."""

from __future__ import annotations

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


def twelve_bit_values(dataset: Dataset, frame: bytes) -> NDArray[np.uint16]:
    """Return the stored values of a coded frame, (rows, columns).

    What an approximation overshoots is cut off at BitsStored: without its highest bit white would be black.
    """
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(encapsulated(frame))
    kind = gdcm.PhotometricInterpretation.GetPIType(str(dataset.PhotometricInterpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    syntax = gdcm.TransferSyntax.GetTSType(str(dataset.file_meta.TransferSyntaxUID))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    # The coded precision is twelve, whatever part of it BitsStored says is used.
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    # GDCM gives char* as text.
    content = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(content, "<u2").reshape(dataset.Rows, dataset.Columns)
    kept: NDArray[np.uint16] = np.minimum(values, np.uint16((1 << int(dataset.BitsStored)) - 1))
    return kept


def encapsulated(frame: bytes) -> gdcm.DataElement:
    """Return a coded frame as GDCM's Pixel Data."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    return element
