"""What a reason may quote of a header: terms of the standard. Whatever else stands there may be a name.

Terms of body parts and views are those of the standard, and those that old writers use beside them.

References
----------
* DICOM Standard, Part 16, Annex L (body part examined), CID 33 (modalities), CID 4010 (views)
* DICOM Standard, Part 3, C.8.1.1 and C.8.11.5 (view position), C.7.6.3.1.2 (photometric interpretation)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from inference.terminology import concepts, meanings_of

UNKNOWN = "none of the known terms"

_CID_33 = 33
MODALITIES = frozenset(
    value for entry in concepts["DCM"].values() for value, (_, groups) in entry.items() if _CID_33 in groups
)
# Headers that say more, as "PA CHEST", begin with one
VIEWS = ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO")
BODY_PARTS = frozenset({
    "ABDOMEN", "ABDOMENPELVIS", "ADRENAL", "ANKLE", "AORTA", "ARM", "AXILLA", "BACK", "BLADDER", "BRAIN", "BREAST",
    "BRONCHUS", "BUTTOCK", "CALCANEUS", "CALF", "CAROTID", "CEREBELLUM", "CERVIX", "CHEEK", "CHEST", "CHESTABDOMEN",
    "CHESTABDPELVIS", "CIRCLEOFWILLIS", "CLAVICLE", "COCCYX", "COLON", "CORNEA", "CORONARYARTERY", "CSPINE", "CTSPINE",
    "DUODENUM", "EAR", "ELBOW", "ESOPHAGUS", "EXTREMITY", "EYE", "EYELID", "FACE", "FEMUR", "FINGER", "FOOT",
    "FOREARM", "GALLBLADDER", "HAND", "HEAD", "HEADNECK", "HEART", "HIP", "HUMERUS", "IAC", "ILEUM", "ILIUM", "JAW",
    "JEJUNUM", "KIDNEY", "KNEE", "LARYNX", "LEG", "LIVER", "LSPINE", "LSSPINE", "LUNG", "MAXILLA", "MEDIASTINUM",
    "MOUTH", "NECK", "NECKCHEST", "NECKCHESTABDOMEN", "NECKCHESTABDPELV", "NOSE", "ORBIT", "OVARY", "PANCREAS",
    "PAROTID", "PATELLA", "PELVIS", "PENIS", "PHARYNX", "PROSTATE", "RECTUM", "RIB", "SCALP", "SCAPULA", "SCLERA",
    "SCROTUM", "SHOULDER", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "SUBMANDIBULAR", "TESTIS",
    "THIGH", "THORAX", "THUMB", "THYMUS", "THYROID", "TLSPINE", "TMJOINT", "TOE", "TONGUE", "TRACHEA", "TSPINE",
    "URETER", "URETHRA", "UTERUS", "VAGINA", "VULVA", "WHOLEBODY", "WRIST", "ZYGOMA",
})  # fmt: skip
PHOTOMETRIC = frozenset({
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "YBR_FULL", "YBR_FULL_422",
    "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB",
})  # fmt: skip
TERMS: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "Modality": MODALITIES,
        "BodyPartExamined": BODY_PARTS,
        "ViewPosition": VIEWS,
        "ViewCodeSequence": meanings_of("SCT").keys() | meanings_of("SRT").keys(),
        "PhotometricInterpretation": PHOTOMETRIC,
    }
)
"""Keyword to the values that a reason may quote."""
_DIRECTIONS = frozenset("APRLHF")


def quoted(keyword: str, value: str) -> str:
    """Return keyword and value for a reason, the value only where it is a term of the standard."""
    return f"{keyword}: {value if value in TERMS[keyword] else UNKNOWN}"


def quoted_directions(directions: Collection[str]) -> str:
    """Return the values of `PatientOrientation` for a reason, if they are made of its letters (PS3.3 C.7.6.1.1.1)."""
    are_letters = len(directions) <= 3 and all(len(one) <= 4 and _DIRECTIONS.issuperset(one) for one in directions)
    return f"PatientOrientation: {chr(92).join(directions) if are_letters else UNKNOWN}"
