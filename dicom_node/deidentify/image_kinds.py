"""What an object says about how its pixels came to be: PS3.4 B.5 (SOP classes), PS3.3 C.7.3.1, C.7.6.1, C.8.6.1."""

from __future__ import annotations

from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID

_ROOT = "1.2.840.10008.5.1.4.1.1"

SECONDARY_CAPTURES = (f"{_ROOT}.7", f"{_ROOT}.7.1", f"{_ROOT}.7.2", f"{_ROOT}.7.3", f"{_ROOT}.7.4")
# With the retired ones, enhanced volumes and photoacoustics. IVUS images are Ultrasound Multi-frame.
_ULTRASOUNDS = (f"{_ROOT}.3", f"{_ROOT}.3.1", f"{_ROOT}.6", f"{_ROOT}.6.1", f"{_ROOT}.6.2", f"{_ROOT}.6.3")
AUDIO = (f"{_ROOT}.9.4.1", f"{_ROOT}.9.4.2")
SURFACE_SCANS = (f"{_ROOT}.68.1", f"{_ROOT}.68.2")
_VIDEOS = (f"{_ROOT}.77.1.1.1", f"{_ROOT}.77.1.2.1", f"{_ROOT}.77.1.4.1")
_VISIBLE_LIGHT = f"{_ROOT}.77.1."
_WHOLE_SLIDE = f"{_ROOT}.77.1.6"
_ENCAPSULATED = f"{_ROOT}.104."

# Made by a reconstruction or a computation, which knows no name. A CR or DX console, a fluoroscope or an angiography
# suite may write on the image, so they are not here. NM is not: its workstations save screens under its own class.
_CROSS_SECTIONS = {
    f"{_ROOT}.2", f"{_ROOT}.2.1", f"{_ROOT}.2.2",                      # CT
    f"{_ROOT}.4", f"{_ROOT}.4.1", f"{_ROOT}.4.4",                      # MR
    f"{_ROOT}.128", f"{_ROOT}.128.1", f"{_ROOT}.130",                  # PET
    f"{_ROOT}.13.1.3",                                                 # breast tomosynthesis
}  # fmt: skip
# Segmentation, Label Map Segmentation (newer than pydicom's dictionary), Parametric Map, RT Dose
COMPUTED = (f"{_ROOT}.66.4", f"{_ROOT}.66.7", f"{_ROOT}.30", f"{_ROOT}.481.2")
_RT_IMAGE = f"{_ROOT}.481.1"

_ULTRASOUND_MODALITIES = {"US", "IVUS", "BDUS", "DD", "CD", "EC", "PA"}
_LIGHT_MODALITIES = {"XC", "ES", "GM", "OP", "DMS", "CFM", "SMR"}
_UNSPECIFIC_MODALITIES = {"", "OT", "DOC", "HC", "REG", "PLAN"}

_SCREEN_TYPES = (
    "SCREEN", "CAPTURE", "SNAPSHOT", "DOSE", "REPORT", "PROTOCOL", "DEMOGRAPHIC", "INVALID", "PHOTO",
)  # fmt: skip
_SCREEN_DESCRIPTIONS = (
    "screen save", "screensave", "screen shot", "screenshot", "screen capture", "snapshot", "report", "dose info",
    "dose summary", "dose record", "patient protocol", "scanned",
)  # fmt: skip
# PS3.3 C.8.6.2, C.8.6.1: written by whatever converted the image.
_CAPTURED = (
    "SecondaryCaptureDeviceID", "HardcopyCreationDeviceID", "DateOfSecondaryCapture",
    "SecondaryCaptureDeviceManufacturer", "HardcopyDeviceManufacturer", "SecondaryCaptureDeviceManufacturerModelName",
    "SecondaryCaptureDeviceSoftwareVersions", "HardcopyDeviceSoftwareVersion", "DigitizingDeviceTransportDirection",
)  # fmt: skip
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "Rows", "Columns", "BitsAllocated", "NumberOfFrames")


def text(dataset: Dataset, keyword: str) -> str:
    """Return a single value stripped and in capitals; empty where there is none."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip().upper()


def words(dataset: Dataset, keyword: str) -> list[str]:
    """Return the values of an attribute stripped and in capitals."""
    value = dataset.get(keyword)
    if value is None or isinstance(value, str):
        return str(value or "").strip().upper().split("\\")
    return [str(word).strip().upper() for word in value]


def _uid(value: str) -> UID:
    # A warning about a malformed one would quote it.
    return UID(value, IGNORE)


def has_pixels(dataset: Dataset) -> bool:
    """Return whether an object has pixels, also where they were not read; where that is uncertain, it has.

    Rows, Columns and Bits Allocated are Type 1 wherever there are pixels (PS3.3 C.7.6.3), and stand before them. An
    image without them is broken, and may have pixels all the same.
    """
    if any(keyword in dataset for keyword in _PIXELS):
        return True
    return not is_standard(dataset) or "Image Storage" in _uid(text(dataset, "SOPClassUID")).name


def is_document(dataset: Dataset) -> bool:
    """Return whether a PDF, CDA, STL, OBJ or MTL is wrapped (PS3.3 A.45, A.85)."""
    encapsulated = "EncapsulatedDocument" in dataset or "MIMETypeOfEncapsulatedDocument" in dataset
    return encapsulated or text(dataset, "SOPClassUID").startswith(_ENCAPSULATED)


def is_video(dataset: Dataset) -> bool:
    """Return whether the pixels are a stream and not frames (PS3.5 8.2.5 and following)."""
    syntax = _uid(str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", "")))
    streams = "MPEG" in syntax.name or "HEVC" in syntax.name or "SMPTE" in syntax.name
    return streams or text(dataset, "SOPClassUID") in _VIDEOS


def is_ultrasound(dataset: Dataset) -> bool:
    """Return whether sound made it, also inside a vessel."""
    return text(dataset, "SOPClassUID") in _ULTRASOUNDS or text(dataset, "Modality") in _ULTRASOUND_MODALITIES


def is_standard(dataset: Dataset) -> bool:
    """Return whether the SOP class is one of PS3.6 Table A-1."""
    uid = text(dataset, "SOPClassUID")
    return uid in COMPUTED or _uid(uid).type == "SOP Class"


def has_embedded_overlay(dataset: Dataset) -> bool:
    """Return whether an overlay lies in bits beside the pixels (retired in 2004), where no attribute can be removed."""
    positions = (dataset.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(position is not None and position.value != 0 for position in positions)


def is_photograph(dataset: Dataset) -> bool:
    """Return whether visible light made it; a whole slide is asked apart."""
    sop_class = text(dataset, "SOPClassUID")
    if sop_class == _WHOLE_SLIDE:
        return False
    return sop_class.startswith(_VISIBLE_LIGHT) or text(dataset, "Modality") in _LIGHT_MODALITIES


def is_slide_label(dataset: Dataset) -> bool:
    """Return whether a slide's label is in the picture (PS3.3 C.8.12.4.1.1, C.8.12.8)."""
    label = {"LABEL", "OVERVIEW"} & set(words(dataset, "ImageType"))
    return text(dataset, "SOPClassUID") == _WHOLE_SLIDE and (
        bool(label) or text(dataset, "SpecimenLabelInImage") != "NO"
    )


def is_screen(dataset: Dataset) -> bool:
    """Return whether the object's own words tell of a screen, a dose sheet or a report."""
    types = " ".join(words(dataset, "ImageType"))
    description = text(dataset, "SeriesDescription").lower()
    return any(word in types for word in _SCREEN_TYPES) or any(word in description for word in _SCREEN_DESCRIPTIONS)


def is_digitised(dataset: Dataset) -> bool:
    """Return whether it was a film or another image before."""
    if text(dataset, "Modality") in {"RG", "FD", "HD"} or any(keyword in dataset for keyword in _CAPTURED):
        return True
    conversion = text(dataset, "ConversionType")
    # Type 1 in an RT Image, where DI is a portal imager (PS3.3 C.8.8.2).
    return conversion not in {"", "DI"} or (conversion == "DI" and text(dataset, "SOPClassUID") != _RT_IMAGE)


def is_unspecific(dataset: Dataset) -> bool:
    """Return whether the modality does not say what made the image; what is computed may be OT (PS3.3 C.8.32)."""
    return text(dataset, "Modality") in _UNSPECIFIC_MODALITIES and text(dataset, "SOPClassUID") not in COMPUTED


def is_cross_section(dataset: Dataset) -> bool:
    """Return whether a reconstruction made it, in a class whose devices write no text."""
    return text(dataset, "SOPClassUID") in _CROSS_SECTIONS


def is_image(dataset: Dataset) -> bool:
    """Return whether the General Image Module belongs to it, with Burned In Annotation (PS3.3 C.7.6.1)."""
    sop_class = text(dataset, "SOPClassUID")
    return sop_class not in COMPUTED and "Image Storage" in _uid(sop_class).name


def is_plain_grey(dataset: Dataset) -> bool:
    """Return whether it is monochrome with more than the 8 bits of a screen."""
    grey = text(dataset, "PhotometricInterpretation") in {"MONOCHROME1", "MONOCHROME2"}
    return grey and int(dataset.get("BitsStored") or 0) > 8
