"""The allow-list projection: all that a model may see of an instance.

Stronger than a scrubbed copy: what is not named here does not exist for the model, so a new or private
attribute cannot leak. Export copies go through the PS3.15 profiles instead.
"""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset

# How stored values become displayed ones: PS3.3 C.7.6.3 (Image Pixel), C.11.1, C.11.2, C.11.6 (LUTs).
PIXELS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelAspectRatio", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "SmallestImagePixelValue", "LargestImagePixelValue", "PixelData",
    "RedPaletteColorLookupTableDescriptor", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth",
    "PresentationLUTShape", "PixelIntensityRelationship", "PixelIntensityRelationshipSign",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    # Where a slice of a volume lies, PS3.3 C.7.6.2.1.1
    "ImageOrientationPatient", "ImagePositionPatient",
)  # fmt: skip

# What an input guard asks before it looks at pixels.
DESCRIPTION = (
    "SOPClassUID", "Modality", "BodyPartExamined", "AnatomicRegionSequence", "ViewPosition", "ViewCodeSequence",
    "PatientOrientation", "Laterality", "ImageLaterality", "ImageType", "PresentationIntentType",
    "BurnedInAnnotation", "QualityControlImage",
)  # fmt: skip


def projection(dataset: Dataset) -> Dataset:
    """Return a new data set with the allow-listed attributes of another, pixels included where present."""
    seen = Dataset()
    for keyword in (*DESCRIPTION, *PIXELS):
        if keyword in dataset:
            seen[keyword] = dataset[keyword]
    meta = FileMetaDataset()
    if "TransferSyntaxUID" in getattr(dataset, "file_meta", {}):
        meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    seen.file_meta = meta
    return seen
