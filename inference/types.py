"""What the inference package takes and gives: the only module of it that a report may import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str


_LONGEST = {"value": 16, "scheme": 16, "meaning": 64}  # VR SH, SH and LO (PS3.5 6.2)


def fault_of_text(text: str, longest: int | None = None) -> str | None:
    """Return why a text cannot be a value of a data set, None where it can (PS3.5 6.1.3, 6.2)."""
    if not text.strip():
        return "is empty"
    if "\\" in text or any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in text):
        return "has a backslash or a control character (PS3.5 6.2)"
    if longest is not None and len(text) > longest:
        return f"is longer than {longest} characters (PS3.5 6.2)"
    return None


def fault_of_code(code: Code) -> str | None:
    """Return what is wrong with the three parts of a code, each of which is type 1 (PS3.3 8.8); None if nothing is."""
    for part, longest in _LONGEST.items():
        fault = fault_of_text(getattr(code, part), longest)
        if fault:
            return f"its {part} {fault}; a code has value, scheme and meaning (PS3.3 8.8)"
    return None


@dataclass(frozen=True)
class Radiograph:
    """A film as it is displayed, without identity.

    Attributes
    ----------
    pixels
        float32, (rows, columns), 0.0 black to 1.0 white.
    padding
        bool, (rows, columns), True where the source has no image (PS3.3 C.7.5.1.1.2), or None.
    spacing_mm
        Distance between rows and between columns, None where the source does not say.
    attributes
        DICOM keyword to value: only the allow-listed ones, by which a guard judges; no network is given them.
    """

    pixels: NDArray[np.float32]
    padding: NDArray[np.bool_] | None = None
    spacing_mm: tuple[float, float] | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            found = f"{self.pixels.dtype} of shape {self.pixels.shape}"
            raise ValueError(f"pixels: {found}; a radiograph is float32 (rows, columns)")
        if self.padding is not None and self.padding.shape != self.pixels.shape:
            raise ValueError(f"padding: shape {self.padding.shape} differs from pixels {self.pixels.shape}")


@dataclass(frozen=True)
class Finding:
    """What a model looks for.

    Attributes
    ----------
    name
        Short name in lower case, as printed: ``pneumonia``.
    code, site
        Coded finding and anatomic site.
    threshold
        Operating point in [0, 1], chosen on validation data; a score at or above it is called.
    references
        Literature on the finding, and on how the model was taught it, as one cites it.
    """

    name: str
    code: Code
    site: Code
    threshold: float
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fault = fault_of_text(self.name)
        if fault:
            raise ValueError(f"name: {fault}; a finding has a name")
        for field_name, code in (("code", self.code), ("site", self.site)):
            _require_code(f"{field_name} of {self.name}", code)
        if not _is_fraction(self.threshold):
            raise ValueError(f"threshold of {self.name}: {self.threshold} is outside [0, 1]")


def _require_code(where: str, code: Code) -> None:
    if not isinstance(code, Code):
        raise ValueError(f"{where}: {code!r}; a code has value, scheme and meaning (PS3.3 8.8)")  # noqa: TRY004
    fault = fault_of_code(code)
    if fault:
        raise ValueError(f"{where}: {fault}")


def _is_fraction(number: object) -> bool:
    """Return whether something is a number in [0, 1]; NaN is not."""
    return isinstance(number, Real) and 0.0 <= float(number) <= 1.0


@dataclass(frozen=True)
class ModelCard:
    """What a model is, as its ``card.toml`` says.

    Attributes
    ----------
    digest
        sha256 of the weights file, hexadecimal; checked before the model is loaded.
    explanation
        Method of the saliency map (CID 217), or None where the model gives none.
    """

    name: str
    version: str
    digest: str
    findings: tuple[Finding, ...]
    intended_use: str
    manufacturer: str = "dicom-node project"
    explanation: Code | None = None

    def __post_init__(self) -> None:
        for part in ("name", "version", "manufacturer"):
            fault = fault_of_text(getattr(self, part))
            if fault:
                raise ValueError(f"{part} of a model: {fault}")
        if self.explanation is not None:
            _require_code(f"explanation of {self.name}", self.explanation)

    @property
    def references(self) -> tuple[str, ...]:
        """Literature on all findings, each work once; of several findings with the names of those that it is on."""
        named: dict[str, list[str]] = {}
        for finding in self.findings:
            for reference in finding.references:
                named.setdefault(reference, []).append(finding.name)
        is_one = len(self.findings) == 1
        return tuple(work if is_one else f"{work} (on {', '.join(names)})" for work, names in named.items())


@dataclass(frozen=True)
class Score:
    """What a model says of one finding.

    Attributes
    ----------
    score
        Calibrated score in [0, 1].
    saliency
        float32 on the *source* grid (rows, columns) of the film, 0.0 to 1.0 with the peak at 1.0,
        zero where the model saw nothing; None where there is no map.
    """

    finding: Finding
    score: float
    saliency: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not _is_fraction(self.score):
            raise ValueError(f"score of {self.finding.name}: {self.score!r} is not in [0, 1]")
        # Whatever a network gives, as np.float32, becomes what every writer of objects knows
        object.__setattr__(self, "score", float(self.score))
        if self.saliency is not None:
            _require_map(f"saliency of {self.finding.name}", self.saliency)

    @property
    def above(self) -> bool:
        """True at or above the threshold."""
        return self.score >= self.finding.threshold


def _require_map(where: str, saliency: NDArray[np.float32]) -> None:
    if saliency.ndim != 2 or not saliency.size or saliency.dtype != np.float32:
        raise ValueError(f"{where}: {saliency.dtype} of shape {saliency.shape}; a map is float32 (rows, columns)")
    low, high = float(saliency.min()), float(saliency.max())  # NaN anywhere makes both NaN
    if not (_is_fraction(low) and _is_fraction(high)):
        raise ValueError(f"{where}: values from {low:g} to {high:g}; a map is finite, in [0, 1]")


@dataclass(frozen=True)
class ReferenceCase:
    """A published, de-identified film that a model knows.

    Attributes
    ----------
    source
        Data set and file: ``NIH ChestX-ray14 00000075_000.png``.
    label
        What those who read it called it.
    similarity
        Cosine of the angle between the embeddings, 1.0 for the same direction.
    """

    source: str
    label: str
    similarity: float


@dataclass(frozen=True)
class Familiarity:
    """How like a film is to those that a model knows.

    Attributes
    ----------
    distance
        Distance from the films that the model knows, in units of the largest that it accepts: above 1.0 the film
        is refused, near 1.0 a score means little.
    reason
        Sentence for people.
    nearest
        The most similar reference cases, most similar first.
    """

    distance: float
    reason: str
    nearest: tuple[ReferenceCase, ...] = ()

    @property
    def is_known(self) -> bool:
        """True if the model may say something of the film."""
        return self.distance <= 1.0


@dataclass(frozen=True)
class Prediction:
    """What a model says of one film.

    Attributes
    ----------
    familiarity
        None where the model keeps no atlas of films that it knows.
    """

    card: ModelCard
    scores: tuple[Score, ...]
    familiarity: Familiarity | None = None

    def __post_init__(self) -> None:
        names = [score.finding.name for score in self.scores]
        twice = [name for number, name in enumerate(names) if name in names[:number]]
        if twice:
            raise ValueError(f"scores: two of {twice[0]}; a model says one thing of a finding")
        strange = [score.finding.name for score in self.scores if score.finding not in self.card.findings]
        if strange:
            raise ValueError(f"scores: {strange[0]} is no finding of the card of {self.card.name}")
