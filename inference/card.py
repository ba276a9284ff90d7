"""``card.toml``: what a model is, what it reads and what it says.

Every fault of a card is reported at once; unknown keys are faults.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, Field, Tag, ValidationError, field_validator

from inference.card_faults import faults_of
from inference.card_input import FILM, VOLUME, InputSection, VolumeSection, kind_of
from inference.card_rules import CONTRADICTING, contradictions, faults_of_keys, outputs_of
from inference.card_sections import (
    DeviceSection,
    ExplanationSection,
    FileSection,
    FindingSection,
    FindingText,
    OutputSection,
    Section,
    WeightsSection,
)
from inference.card_stand_in import sound_part
from inference.errors import InvalidCardError, MissingWeightsError
from inference.scoring import Scoring
from inference.types import ModelCard

__all__ = ["CardFile", "CardText", "FindingText", "InputSection", "VolumeSection", "judged", "read_card", "read_table"]

CARD_NAME = "card.toml"


class CardText(Section):
    """What people write of a model, before it is trained."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
    version: Annotated[str, Field(min_length=1, max_length=64)]
    manufacturer: Annotated[str, Field(min_length=1, max_length=64)] = "dicom-node project"
    intended_use: Annotated[str, Field(min_length=1)]
    attributes: tuple[str, ...] = ()
    explanation: ExplanationSection | None = None
    findings: Annotated[tuple[FindingText, ...], Field(min_length=1)]

    @field_validator("attributes")
    @classmethod
    def _are_none(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        if keywords:
            raise ValueError(f"{', '.join(keywords)}: no kind of weights takes attributes yet; leave it empty")
        return keywords


class CardFile(CardText):
    """The whole card."""

    findings: Annotated[tuple[FindingSection, ...], Field(min_length=1)]
    weights: WeightsSection
    input: Annotated[Annotated[InputSection, Tag(FILM)] | Annotated[VolumeSection, Tag(VOLUME)], Discriminator(kind_of)]
    output: OutputSection = OutputSection()
    device: DeviceSection = DeviceSection()
    atlas: FileSection | None = None  # films that the model knows
    golden: FileSection | None = None  # a film with the answer that every device must give

    def files(self) -> list[FileSection]:
        """Return every file that the card names."""
        return [each for each in (self.weights, self.atlas, self.golden) if each]

    @property
    def indices(self) -> tuple[int, ...]:
        """Output that each finding reads."""
        return tuple(order if each.index is None else each.index for order, each in enumerate(self.findings))

    @property
    def outputs(self) -> int | None:
        """Number of outputs that the network is to have; None where the card leaves that to the network."""
        return outputs_of(self.findings, self.output)

    def scoring(self) -> Scoring:
        """Return how outputs become scores."""
        return Scoring(
            temperatures=tuple(each.temperature for each in self.findings),
            shifts=tuple(each.shift for each in self.findings),
            indices=self.indices,
            operating_points=self._operating_points(),
            is_multi_class=self.output.kind == "multi-class",
            takes_probabilities=self.output.values == "probabilities",
        )

    def _operating_points(self) -> tuple[float | None, ...] | None:
        points = tuple(each.operating_point for each in self.findings)
        return points if any(point is not None for point in points) else None

    def model_card(self) -> ModelCard:
        """Return what results say of the model."""
        return ModelCard(
            name=self.name,
            version=self.version,
            digest=self.weights.sha256,
            findings=tuple(each.finding() for each in self.findings),
            intended_use=self.intended_use.strip(),
            manufacturer=self.manufacturer,
            explanation=self.explanation.code() if self.explanation else None,
        )


class _RuledTables(BaseModel):
    """The tables with rules between their keys, whatever the others are like."""

    findings: tuple[FindingSection, ...]
    weights: WeightsSection
    output: OutputSection = OutputSection()


def read_card(folder: Path) -> CardFile:
    """Return the card of a model folder.

    Raises
    ------
    MissingWeightsError
        There is no card, or it cannot be read.
    InvalidCardError
        The card is no TOML, breaks the schema or contradicts itself; every fault is named.
    """
    return card_in(folder, read_table(folder))


def card_in(folder: Path, table: Mapping[str, Any]) -> CardFile:
    """Return the card of a model folder whose table is this; raises InvalidCardError as `read_card`."""
    card, faults = judged(table)
    if card is None or faults:
        raise InvalidCardError(f"{folder / CARD_NAME}: " + "; ".join(faults))
    return card


def read_table(folder: Path) -> Mapping[str, Any]:
    """Return the card of a model folder as it stands, whatever it says.

    Raises
    ------
    MissingWeightsError
        There is no card, or it cannot be read.
    InvalidCardError
        The card is no TOML.
    """
    path = folder / CARD_NAME
    content = content_of(path)
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is 0x{error.object[error.start]:02x}"
        raise InvalidCardError(f"{path}: {found}, which is no UTF-8; the encoding of TOML is UTF-8") from error
    except (ValueError, RecursionError) as error:  # the latter of brackets without end
        hint = "; the file begins with a byte order mark, which TOML has not"
        said = f"{error}{hint if content.startswith(codecs.BOM_UTF8) else ''}"
        raise InvalidCardError(f"{path}: no TOML: {said}") from error


def content_of(path: Path) -> bytes:
    """Return what a card holds; raises MissingWeightsError where there is none, or none that can be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            raise MissingWeightsError(f"{path}: not found; a model folder has a {CARD_NAME}")
        return path.read_bytes()
    except OSError as error:
        raise MissingWeightsError(f"{path}: cannot be read ({error.strerror})") from error


def judged(table: Mapping[str, Any]) -> tuple[CardFile | None, list[str]]:
    """Return a card and everything that is wrong with it; None where it breaks the schema."""
    try:
        card = CardFile.model_validate(table)
    except ValidationError as error:
        return None, [*faults_of(error), *contradictions_in(table)]
    return card, [*faults_of_keys(card.weights), *contradictions(card.findings, card.output)]


def contradictions_in(table: Mapping[str, Any]) -> list[str]:
    """Return what the tables of a faulty card contradict each other in, as far as they are sound."""
    read, replaced = sound_part(table, _RuledTables)
    if read is None:
        return []
    of_keys = [] if "weights.kind" in replaced else faults_of_keys(read.weights)
    return [*of_keys, *([] if replaced & CONTRADICTING else contradictions(read.findings, read.output))]
