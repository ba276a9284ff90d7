"""``card.toml``: what a model is, what it reads and what it says.

Every fault of a card is reported at once; unknown keys are faults.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from inference.enhancement import ENHANCEMENTS
from inference.errors import InvalidCardError, MissingWeightsError
from inference.guard import Guard
from inference.preprocessing import Preprocessing
from inference.projection import ATTRIBUTES, ON_REQUEST
from inference.scoring import Scoring
from inference.types import Code, Finding, ModelCard

CARD_NAME = "card.toml"


class Section(BaseModel):
    """A table of the card."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSection(Section):
    """A coded concept (PS3.3 8.8)."""

    value: Annotated[str, Field(min_length=1, max_length=16)]  # VR SH of CodeValue
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]  # VR LO

    def code(self) -> Code:
        """Return the value that results carry."""
        return Code(self.value, self.scheme, self.meaning)


class FindingText(Section):
    """A finding without what validation data decide."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    code: CodeSection
    site: CodeSection


class FindingSection(FindingText):
    """A finding with its operating point and its calibration.

    Attributes
    ----------
    temperature, shift
        A logit is divided by the one, the other is added, before the sigmoid.
    """

    threshold: Annotated[float, Field(ge=0, le=1)]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    shift: float = 0.0

    def finding(self) -> Finding:
        """Return what scores refer to."""
        return Finding(self.name, self.code.code(), self.site.code(), self.threshold)


class InputSection(Section):
    """What the model reads, and how."""

    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    views: tuple[str, ...]
    side: Annotated[int, Field(ge=32, le=4096)]
    channels: Literal[1] = 1
    mean: float
    deviation: Annotated[float, Field(gt=0)]
    percentiles: tuple[float, float] | None = None
    enhancement: str = "none"

    @field_validator("percentiles")
    @classmethod
    def _rise(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and not 0.0 <= ends[0] < ends[1] <= 100.0:
            raise ValueError(f"{ends}: two percentiles in rising order, 0 to 100")
        return ends

    @field_validator("enhancement")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in ENHANCEMENTS:
            raise ValueError(f"{name!r} is none of {', '.join(ENHANCEMENTS)}")
        return name

    def preprocessing(self) -> Preprocessing:
        """Return the code that prepares films for the model."""
        return Preprocessing(self.side, self.mean, self.deviation, self.percentiles, self.enhancement)

    def guard(self) -> Guard:
        """Return the check of headers."""
        return Guard(self.modalities, self.body_parts, self.views)


class FileSection(Section):
    """A file of the model folder; it is used only if it is this one."""

    file: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WeightsSection(FileSection):
    """The file that holds the network."""

    kind: str = "onnx"


class CardText(Section):
    """What people write of a model, before it is trained."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
    version: Annotated[str, Field(min_length=1, max_length=64)]
    manufacturer: Annotated[str, Field(min_length=1, max_length=64)] = "dicom-node project"
    intended_use: Annotated[str, Field(min_length=1)]
    attributes: tuple[str, ...] = ()
    explanation: CodeSection | None = None
    findings: Annotated[tuple[FindingText, ...], Field(min_length=1)]

    @field_validator("attributes")
    @classmethod
    def _are_allowed(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        foreign = set(keywords) - {*ATTRIBUTES, *ON_REQUEST}
        if foreign:
            raise ValueError(f"{', '.join(sorted(foreign))} not in the allow-list")
        return keywords


class CardFile(CardText):
    """The whole card."""

    findings: Annotated[tuple[FindingSection, ...], Field(min_length=1)]
    weights: WeightsSection
    input: InputSection
    atlas: FileSection | None = None  # films that the model knows
    golden: FileSection | None = None  # a film with the answer that every device must give

    def files(self) -> list[FileSection]:
        """Return every file that the card names."""
        return [each for each in (self.weights, self.atlas, self.golden) if each]

    def scoring(self) -> Scoring:
        """Return how outputs become scores."""
        temperatures = tuple(each.temperature for each in self.findings)
        return Scoring(temperatures, tuple(each.shift for each in self.findings))

    def model_card(self) -> ModelCard:
        """Return what results say of the model."""
        return ModelCard(
            name=self.name,
            version=self.version,
            digest=self.weights.sha256,
            findings=tuple(each.finding() for each in self.findings),
            intended_use=self.intended_use.strip(),
            manufacturer=self.manufacturer,
            attributes=self.attributes,
            explanation=self.explanation.code() if self.explanation else None,
        )


def read_card(folder: Path) -> CardFile:
    """Return the card of a model folder.

    Raises
    ------
    MissingWeightsError
        There is no card.
    InvalidCardError
        The card is no TOML or breaks the schema; every fault is named.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        raise MissingWeightsError(f"{path}: not found; a model folder has a {CARD_NAME}")
    try:
        return CardFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InvalidCardError(f"{path}: " + "; ".join(faults_of(error))) from error
    except ValueError as error:
        raise InvalidCardError(f"{path}: {error}") from error


def faults_of(error: ValidationError) -> list[str]:
    """Return each fault as ``key: rule``."""
    return [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
