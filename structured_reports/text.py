"""The words of a result, the same on a picture, in an SR and in FHIR.

Never "normal" or "no pneumonia": a score below its threshold is that and nothing more. Never "probability".
"""

from __future__ import annotations

from inference.types import ModelCard, Prediction, ReferenceCase, Score
from structured_reports.lifecycle import Cause
from structured_reports.port import Refusal, ReportRequest

NOT_PERFORMED = "AI NOT PERFORMED"
# A multiplication sign alone would take a result out of the character set of its study
_ASCII_SIGNS = str.maketrans({"×": "x", "–": "-", "—": "-", "’": "'", "“": '"', "”": '"', "…": "..."})
# No text of a data set holds them (PS3.5 6.1.3), and a reason may come from anywhere
_NO_CONTROL = str.maketrans(dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " "))

# Codes of refusals by how far a model came; any other code says nothing of it
_LOOKED = frozenset({"unfamiliar", "not-finite", "not-probable"})
_BEGAN = frozenset({"hang"})
_NOBODY = frozenset({"no-model"})

_CAUSES = {
    Cause.LATE_IMAGES: "more images came",
    Cause.RERUN: "it was read again",
    Cause.DEADLINE: "it was read late",
}

NOT_AN_OUTLINE = "not a lesion outline"


# What readers of data sets called a film, where their word would be taken for a verdict on this one, or says nothing
_CALLED = {
    "normal": "read as without finding",
    "no lung opacity / not normal": "read as without lung opacity, with another finding",
    "boxed": "marked as pneumonia by radiologists",
    "adjudicated": "read by several radiologists",
}

_MOST_DIGITS = 12  # after the point of a percentage; a float32 next to another differs in the sixth


def percent(fraction: float, digits: int = 0) -> str:
    """Return a fraction in percent."""
    return f"{fraction * 100:.{digits}f} %"


def score_and_threshold(score: Score) -> tuple[str, str]:
    """Return both in percent, with as many digits as show the threshold to a tenth and keep the two apart.

    Rounding alone would print 49.6 % as equal to its threshold of 50 %, below which it is, and a threshold of 46.5 % as
    46 %, above which a score of 46.4 % would seem to be.
    """
    numbers = (score.score, score.finding.threshold)
    fewest = 0 if abs(numbers[1] * 100 - round(numbers[1] * 100)) < 0.05 else 1
    for digits in range(fewest, _MOST_DIGITS):
        texts = (percent(numbers[0], digits), percent(numbers[1], digits))
        if texts[0] != texts[1]:
            return texts
    return percent(numbers[0], fewest), percent(numbers[1], fewest)


def verdict(score: Score) -> str:
    """Return what a score means."""
    return "ABOVE THRESHOLD" if score.above else "BELOW THRESHOLD"


def score_line(score: Score) -> str:
    """Return finding, score, threshold and verdict in one line."""
    found, threshold = score_and_threshold(score)
    name = score.finding.name.capitalize()
    return f"{name}: AI score {found}, threshold {threshold}, {verdict(score).lower()}"


def conclusion(request: ReportRequest) -> str:
    """Return the whole result in words, beginning with the notice."""
    outcome = request.outcome
    if isinstance(outcome, Refusal):
        return f"{request.notice}. {NOT_PERFORMED}: {sentence(outcome.reason)}{_version(request)}"
    lines = "; ".join(score_line(score) for score in outcome.scores)
    return f"{request.notice}. {lines}.{_series(request)}{_version(request)}"


def _series(request: ReportRequest) -> str:
    """Return which series was read as a volume; nothing for a film, which is the source."""
    if request.slices is None:
        return ""
    number = str(request.source.get("SeriesNumber") or "")
    series = f"series {number}" if number.isdigit() else "a series"
    return f" Read as one volume: {len(request.slices.instances)} slices of {series}. Shown: {request.slices.place}."


def version_line(request: ReportRequest) -> str:
    """Return which result this one replaces, and why; empty for the first one."""
    if request.former is None:
        return ""
    return f"Version {request.generation}: replaces the former AI result of this study, {_CAUSES[request.former.cause]}"


def _version(request: ReportRequest) -> str:
    line = version_line(request)
    return f" {line}." if line else ""


def sentence(words: str) -> str:
    """Return `words` with a capital and a full stop, in signs that every character set has, no control characters."""
    words = words.translate(_NO_CONTROL).strip().translate(_ASCII_SIGNS)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def model_line(card: ModelCard) -> str:
    """Return name and version of a model."""
    return f"{card.name} {card.version}"


def case_line(case: ReferenceCase) -> str:
    """Return what a reference case was called, which it is and how like."""
    called, opened, population = case.label.partition(" (")
    label = _CALLED.get(called.lower(), called) + opened + population
    return f"{label} ({case.source}, similarity {case.similarity:.2f})"


def who_looked(refusal: Refusal) -> str:
    """Return what is certain of who looked at a study without result; each of several models has its own reason."""
    if refusal.code in _LOOKED:
        return "A model has looked at this study and gives no result."
    if refusal.code in _BEGAN:
        return "A model began to look at this study and was stopped before its answer."
    if refusal.code in _NOBODY:
        return "No AI model has looked at this study."
    return "There is no AI result of this study."


def findings_line(outcome: Prediction | Refusal) -> str:
    """Return what a result is about, for the label of a series: viewers cut it, so what stands out comes first."""
    if isinstance(outcome, Refusal):
        return "not performed"
    leading_first = sorted(outcome.scores, key=lambda score: score.finding.threshold - score.score)
    return ", ".join(score.finding.name for score in leading_first)


def fitted(words: str, limit: int) -> str:
    """Return `words` within `limit` characters (PS3.5 6.2: 64 for LO, 16 for SH), cut visibly."""
    return words if len(words) <= limit else words[: limit - 3].rstrip() + "..."
