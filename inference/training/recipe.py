"""What a training run does, as its TOML file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from inference.card import CardText, InputSection
from inference.card_faults import faults_of
from inference.errors import InvalidRecipeError
from inference.labelled import LABELLED, LABELLED_NAME, labelled_among, told
from inference.recipe_table import recipe_table
from inference.training.augmentation import Augmentation
from inference.training.network import ARCHITECTURES

# Numbers that random generators take as a seed, also the sum of two.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of the recipe: unknown keys are faults, and numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Step(Section):
    """Epochs at one size; small films first cost a fraction and teach much of it.

    The last size may be larger than the one that is served: enlarged by augmentation, things look larger in training
    (Touvron et al., Fixing the train-test resolution discrepancy, NeurIPS 2019).
    """

    epochs: Annotated[int, Field(ge=1)]
    side: Annotated[int, Field(ge=32, multiple_of=32)]
    frozen: Annotated[int, Field(ge=0)] = 0  # blocks at the start of the network that learn no more


class Schedule(Section):
    """How long and how fast."""

    steps: tuple[Step, ...]
    films_per_epoch: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1, validate_default=True)] = 32
    peak_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3  # AdamW moves each weight by about as much at a step
    rates: Literal["one-cycle", "constant"] = "one-cycle"
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    keep: Literal["last", "best"] = "last"  # weights of the last epoch, or of the lowest loss on validation films
    mixed: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of batches whose films are blended in pairs
    box_weight: Annotated[float, Field(ge=0)] = 0.0  # of the loss of maps beside that of scores
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: Annotated[int, Field(ge=1, le=256)] = 2

    @field_validator("batch")
    @classmethod
    def _fits_an_epoch(cls, batch: int, told: ValidationInfo) -> int:
        films = told.data.get("films_per_epoch", batch)
        if told.data.get("steps") and batch > films:
            raise ValueError(f"{batch}: more than films_per_epoch, {films}; only whole batches are learned")
        return batch


class ProtocolSection(Section):
    """Which films are kept apart."""

    split: Literal["subject", "film"] = "subject"


class NetworkSection(Section):
    """What is trained."""

    architecture: str = "efficientnet-lite0"
    mirrored: bool = False  # once trained, reads a film and its mirror image and takes the mean

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"{name!r} is none of {', '.join(ARCHITECTURES)}")
        return name


class AugmentationSection(Section):
    """Keys of `inference.training.augmentation.Augmentation`."""

    aspect: tuple[float, float] = (0.85, 1.75)
    square_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 10.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.15
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.06
    squeeze: Annotated[float, Field(ge=0, lt=1)] = 0.0
    gamma: NotNegative = 0.25
    window: Annotated[float, Field(ge=0, lt=0.5)] = 0.12
    blur_px: NotNegative = 1.2
    erased: Annotated[float, Field(ge=0, le=1)] = 0.25
    tones: Annotated[float, Field(ge=0)] = 0.0
    bands: Annotated[float, Field(ge=0)] = 0.0
    shading: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("aspect")
    @classmethod
    def _is_a_span(cls, span: tuple[float, float]) -> tuple[float, float]:
        if not 0 < span[0] <= span[1]:
            raise ValueError(f"{span}: two ratios above 0 in rising order")
        return span


class TransplantSection(Section):
    """Keys of `inference.training.transplant.Transplant`."""

    share: Annotated[float, Field(ge=0, le=1)]
    diseased: Annotated[float, Field(ge=0, le=1)] = 0.5


class TeachingSection(Section):
    """Networks that were trained before, by these recipes, and how much their scores count beside the labels."""

    recipes: Annotated[tuple[str, ...], Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    start: tuple[str, ...] = ()  # networks with the mean of whose weights it begins; none named: its teachers
    reads: Literal["augmented", "still"] = "augmented"  # what the teachers see: each batch, or each film once as it is

    @property
    def named(self) -> tuple[str, ...]:
        """Every recipe whose weights are needed: teachers, then those that are only begun with."""
        return tuple(dict.fromkeys((*self.recipes, *self.start)))


class RefitSection(Section):
    """The head fitted on when the features are learned; see `inference.training.refit`."""

    penalty: Annotated[float, Field(gt=0)]  # of the squared change of the head, features in units of their spread


class Recipe(Section):
    """Everything that a run depends on beside the data."""

    seed: Seed
    variation: Seed = 0  # added to the seed of what is drawn in learning: networks of one split that differ
    shares: dict[str, NotNegative]
    input: InputSection
    protocol: ProtocolSection = ProtocolSection()
    network: NetworkSection = NetworkSection()
    schedule: Schedule
    augmentation: AugmentationSection | None = None  # None: films as they are
    transplant: TransplantSection | None = None  # None: no region of one film is put on another
    teaching: TeachingSection | None = None  # None: learned from labels alone
    refit: RefitSection | None = None  # None: the head stays as it was learned
    card: CardText

    @property
    def drawn(self) -> int:
        """Seed of what is drawn in learning."""
        return self.seed + self.variation

    def augmented(self) -> Augmentation:
        """Return how films are changed where they are changed at all: as the recipe says, else a little."""
        return Augmentation(**self.augmentation.model_dump()) if self.augmentation else Augmentation()

    @field_validator("shares")
    @classmethod
    def _are_of_films(cls, shares: dict[str, float]) -> dict[str, float]:
        if not sum(shares.values()):
            raise ValueError("their sum is 0; some films are learned from")
        return shares

    @field_validator("card")
    @classmethod
    def _finds_what_is_labelled(cls, card: CardText) -> CardText:
        if len(card.findings) != 1 or labelled_among([(each.name, each.code.code()) for each in card.findings]) is None:
            found = ", ".join(each.name for each in card.findings)
            rule = f"films are labelled with {told(LABELLED_NAME, LABELLED)}, and nothing else can be learned of them"
            raise ValueError(f"findings: {found}; {rule}")
        return card

    @field_validator("input")
    @classmethod
    def _is_gray(cls, section: InputSection) -> InputSection:
        if section.channels != 1:
            raise ValueError(f"channels: {section.channels}; films are trained on in one")
        return section


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a file.

    Raises
    ------
    InvalidRecipeError
        The file is no TOML or breaks the schema; every fault is named.
    """
    try:
        return Recipe.model_validate(recipe_table(path))
    except ValidationError as error:
        raise InvalidRecipeError(f"{path.name}: " + "; ".join(faults_of(error))) from error
