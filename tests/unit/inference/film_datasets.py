"""Data sets of films around pixels that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

# How an upright film is stored under a header with these directions (PS3.3 C.7.6.1.1.1).
LAID: Mapping[tuple[str, str], Callable[[np.ndarray], np.ndarray]] = {
    ("L", "F"): lambda film: film,
    ("R", "F"): np.fliplr,
    ("L", "H"): np.flipud,
    ("R", "H"): lambda film: np.rot90(film, 2),
    ("F", "R"): lambda film: np.rot90(film, 1),
    ("H", "L"): lambda film: np.rot90(film, 3),
    ("F", "L"): np.transpose,
    ("H", "R"): lambda film: np.rot90(np.transpose(film), 2),
}


def film_dataset(values: np.ndarray, **elements: object) -> Dataset:
    """Return a chest CR around stored values; keyword arguments set or replace elements."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.Modality = "CR"
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = values.dtype.itemsize * 8
    dataset.BitsStored = dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
