"""The allow-list projection: all that a model may see of an instance.

Stronger than a scrubbed copy: what is not named here does not exist for the model, so a new or private
attribute cannot leak. Export copies go through the PS3.15 profiles instead.
"""

from __future__ import annotations

from collections.abc import Iterable

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

# Of these a model card may ask for more; anything else stays unseen whatever a card says.
ASKABLE = ("PatientSex", "PatientAge")


def projection(dataset: Dataset, asked: Iterable[str] = ()) -> Dataset:
    """Return a new data set with the allow-listed attributes of another, pixels included where present.

    Parameters
    ----------
    asked
        Keywords that the model card asks for; those outside `ASKABLE` are a mistake of the card.

    Raises
    ------
    ValueError
        The card asks for an attribute that no model may see.
    """
    extra = tuple(asked)
    if forbidden := set(extra) - set(ASKABLE) - set(DESCRIPTION):
        raise ValueError(f"{', '.join(sorted(forbidden))}: a model may ask for {', '.join(ASKABLE)} only")
    seen = Dataset()
    for keyword in (*DESCRIPTION, *PIXELS, *extra):
        if keyword in dataset:
            seen[keyword] = dataset[keyword]
    meta = FileMetaDataset()
    if "TransferSyntaxUID" in getattr(dataset, "file_meta", {}):
        meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    seen.file_meta = meta
    return seen
