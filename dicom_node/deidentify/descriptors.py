"""Descriptors cleaned by a vocabulary: a word that is not known to be harmless is not kept."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

_TOKEN = re.compile(r"[^\W_]+")
# Two digits at most: a phase, a level (L5), a thickness in mm; never a number that identifies.
_HARMLESS = re.compile(r"[a-z]?\d{1,2}|\d{1,2}mm|[tlcs]\d{1,2}")
_A_DATE = 3

VOCABULARY = frozenset(
    """
    abdomen abdominal adult ankle angio angiography aorta aortic ap apical arm arterial artery axial axl breast brain
    bone bowel bilateral bladder bolus calcaneus cardiac carotid cavity cervical chest clavicle coccyx colon contrast
    coronal coronary cor cr ct cta dental delayed diffusion digit dwi dx dynamic echo elbow esophagus expiration
    extremity face facial fat femur film finger flair foot forearm frontal full functional gallbladder gated gradient
    hand head heart hip horizontal humerus iac image inspiration inferior internal ivp jaw joint kidney knee knees
    landmark lat lateral left leg ligament liver localizer lower lspine lumbar lung lungs mammo mammography mandible
    mastoid maxilla median mediastinum mip mlo mobile mpr mr mra mri neck nasal native neuro nm noncontrast non oblique
    obl orbit orbits osseous pa pancreas paranasal patella pediatric pelvic pelvis pe perfusion pet phantom phase plain
    portable portal post posterior anterior pre prostate proton pulmonary radiography radius recon reconstruction
    renal rib ribs right routine rx sacrum sag sagittal saturated scan scapula scout sequence series shoulder single
    sinus sinuses skull slice slices soft spine spin spleen standing sternum stomach stir supine superior survey swi
    technique thigh thick thin thoracic thorax thyroid tibia tissue toe tomography topogram transverse trauma tspine
    two three four ultrasound upper upright us vein venous vertebra view views volume weighted whole window with without
    wo wrist xa xray
    """.split()  # noqa: SIM905 - a table to read
)


def cleaned(text: str, identifying: AbstractSet[str]) -> str:
    """Return the words of a text that are in the vocabulary and name nobody in the data set, in their order."""
    kept = [word for word in _TOKEN.findall(text) if _is_harmless(word.casefold(), identifying)]
    # Three numbers of two digits are a date.
    are_few = sum(word.isdigit() for word in kept) < _A_DATE
    return " ".join(word for word in kept if are_few or not word.isdigit())


def _is_harmless(word: str, identifying: AbstractSet[str]) -> bool:
    return word not in identifying and (word in VOCABULARY or _HARMLESS.fullmatch(word) is not None)
