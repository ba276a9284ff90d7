"""Every code that a result carries, with its source beside it."""

from __future__ import annotations

from inference.types import Code

# Standard codes only: dciodvfy warns of every private coding scheme, and a reader that has never heard of
# this node understands them all.


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


# Titles of a report (CID 7021, extensible)
IMAGING_MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")  # TID 1500
# A report without regions: under 126000 OHIF shows a black viewport for it, under any other title its text
CHEST_CAD_REPORT = _dcm("112000", "Chest CAD Report")  # PS3.16 Annex D
IMAGING_REPORT = Code("18748-4", "LN", "Diagnostic Imaging Report")  # CID 7000; of any part of the body

# Structure (PS3.16 Annex D)
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")  # TID 1204
ENGLISH = Code("en-US", "RFC5646", "English (United States)")  # CID 5000
IMAGE_LIBRARY = _dcm("111028", "Image Library")  # TID 1600
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group")  # TID 1600
COMMENT = _dcm("121106", "Comment")  # PS3.16 Annex D
VISUAL_EXPLANATION = _dcm("130401", "Visual explanation")  # TID 1410
SOURCE = Code("260753009", "SCT", "Source")  # CID 7551, as highdicom names a library entry
MODALITY = _dcm("121139", "Modality")  # TID 1602
PATIENT_ORIENTATION_ROW = _dcm("111044", "Patient Orientation Row")  # TID 1603
PATIENT_ORIENTATION_COLUMN = _dcm("111043", "Patient Orientation Column")  # TID 1603
ROWS = _dcm("110910", "Pixel Data Rows")  # TID 1602
COLUMNS = _dcm("110911", "Pixel Data Columns")  # TID 1602
HORIZONTAL_SPACING = _dcm("111026", "Horizontal Pixel Spacing")  # TID 1603
VERTICAL_SPACING = _dcm("111066", "Vertical Pixel Spacing")  # TID 1603

# A report in plain words (PS3.16 TID 2000)
FINDINGS = _dcm("121070", "Findings")  # CID 7001
FINDING = _dcm("121071", "Finding")  # CID 7002
ALGORITHM = _dcm("111001", "Algorithm Name")  # TID 4019

# What a model says
# Percent, 0 no certainty to 100 certain, as a device says it of one finding; 122157 Probability would claim
# more than a classifier can know
SCORE = _dcm("111012", "Certainty of Finding")  # PS3.16 Annex D
THRESHOLD = _dcm("122411", "Threshold Value")  # PS3.16 Annex D
ASSESSMENT = _dcm("111005", "Assessment Category")  # PS3.16 Annex D
# Outcome of a test at its threshold. Not Present/Absent of CID 240: a score below the threshold does not say
# that there is no disease
POSITIVE = Code("10828004", "SCT", "Positive")  # CID 250
NEGATIVE = Code("260385009", "SCT", "Negative")  # CID 250
AI_FAMILY = _dcm("123110", "Artificial Intelligence")  # CID 7162
ANALYSES = _dcm("111065", "Summary of Analyses")  # PS3.16 Annex D
NOT_PERFORMED = Code("262008008", "SCT", "Not performed")  # CID 3208

# Segments
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")  # CID 7150

# Title of a selection of key objects (CID 7010)
OF_INTEREST = _dcm("113000", "Of Interest")

# Titles of a rejection note (CID 7010; IHE RAD TF, IOCM)
REJECTED_FOR_QUALITY = _dcm("113001", "Rejected for Quality Reasons")
REJECTED_FOR_PATIENT_SAFETY = _dcm("113037", "Rejected for Patient Safety Reasons")
KEY_OBJECT_DESCRIPTION = _dcm("113012", "Key Object Description")  # TID 2010

# Units (UCUM)
PERCENT = Code("%", "UCUM", "Percent")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
MILLIMETER = Code("mm", "UCUM", "millimeter")

# References between instances
ACQUISITION_EQUIPMENT = _dcm("109101", "Acquisition Equipment")  # CID 7005
PROCESSING_EQUIPMENT = _dcm("109102", "Processing Equipment")  # CID 7005
SOURCE_IMAGE = _dcm("121322", "Source image for image processing operation")  # CID 7202

# Procedure, where the source does not code it
CHEST_RADIOGRAPH = Code("30745-4", "LN", "XR Chest Views")  # LOINC; of no certain number of views
DIAGNOSTIC_IMAGING = Code("18748-4", "LN", "Diagnostic imaging study")  # LOINC
