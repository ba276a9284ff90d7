"""An RGB picture as a Secondary Capture image.

Built on pydicom alone: highdicom's SCImage refuses orientations that films have (``PL``), several character
sets and missing type 2 attributes, and stamps the clock into the object.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.types import Prediction
from structured_reports import codes
from structured_reports.envelope import Series, code_item, envelope
from structured_reports.header import SourceHeader
from structured_reports.port import ReportRequest
from structured_reports.text import fitted

# Body parts without a side (PS3.16 Annex L)
_UNPAIRED = (
    "ABDOMEN", "BRAIN", "CHEST", "CSPINE", "HEAD", "HEART", "LSPINE", "LIVER", "NECK", "PELVIS", "PROSTATE",
    "SKULL", "SSPINE", "TSPINE", "UTERUS",
)  # fmt: skip
_SIDES = ("R", "L")  # Laterality, enumerated values (PS3.3 C.7.3.1)


def secondary_capture(
    request: ReportRequest, header: SourceHeader, series: Series, picture: NDArray[np.uint8], derivation: str
) -> Dataset:
    """Return a Secondary Capture image (PS3.3 A.8.1) that lacks its SOPInstanceUID."""
    dataset = envelope(request, header, series)
    add_body_part(dataset, request, header)
    _add_capture(dataset, request)
    _add_pixels(dataset, picture)
    if isinstance(request.outcome, Prediction) and header.get("LossyImageCompression") in ("00", "01"):
        # What is lost of a film is lost for the pictures of it (PS3.3 C.7.6.1.1.5); a refusal is words alone
        dataset.LossyImageCompression = header.text.LossyImageCompression
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = None  # of a page; a picture on the source grid overrides it
    dataset.DerivationDescription = derivation
    dataset.ImageComments = request.notice
    dataset.SourceImageSequence = [_source_image(header)]
    return dataset


def add_body_part(dataset: Dataset, request: ReportRequest, header: SourceHeader) -> None:
    """Add what was examined, with the side where there are two (PS3.3 C.7.3.1; PS3.16 Annex L)."""
    named = str(header.get("BodyPartExamined") or "").strip().upper()
    side = header.get("Laterality") or header.get("ImageLaterality")
    if named in _UNPAIRED:
        dataset.BodyPartExamined = named
    elif isinstance(request.outcome, Prediction) and request.slices is None:
        dataset.BodyPartExamined = "CHEST"  # what the models of films read
    elif re.fullmatch("[A-Z]{1,16}", named) and side in _SIDES:  # as VR CS has it (PS3.5 6.2)
        dataset.BodyPartExamined, dataset.Laterality = named, side
    else:
        # A refusal is a page of words: it shows neither side of anything (PS3.3 C.8.11.2, U is unpaired)
        dataset.ImageLaterality = "U"


def _add_capture(dataset: Dataset, request: ReportRequest) -> None:
    """Add the SC Equipment and SC Image Modules (PS3.3 C.8.6)."""
    dataset.ConversionType = "WSD"
    dataset.DateOfSecondaryCapture = dataset.ContentDate
    dataset.TimeOfSecondaryCapture = dataset.ContentTime
    dataset.SecondaryCaptureDeviceManufacturer = dataset.Manufacturer
    dataset.SecondaryCaptureDeviceManufacturerModelName = dataset.ManufacturerModelName
    dataset.SecondaryCaptureDeviceSoftwareVersions = fitted(request.equipment.software_version, 64)
    dataset.BurnedInAnnotation = "YES"  # text is drawn in, though no identity


def _add_pixels(dataset: Dataset, picture: NDArray[np.uint8]) -> None:
    """Add the Image Pixel Module (PS3.3 C.7.6.3)."""
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = picture.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    content = picture.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)  # even length (PS3.5 7.1)
    dataset["PixelData"].VR = "OB"


def _source_image(header: SourceHeader) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.text.SOPClassUID
    item.ReferencedSOPInstanceUID = header.text.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [code_item(codes.SOURCE_IMAGE)]
    return item
