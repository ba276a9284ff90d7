"""The table of a card that says what a model reads: films or volumes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from inference.card_sections import Section
from inference.enhancement import ENHANCEMENTS
from inference.guard import Guard
from inference.header_terms import VIEWS
from inference.preprocessing import Preprocessing
from inference.volume_preprocessing import SeriesGuard, VolumePreprocessing

Ends = tuple[float, float]
PerChannel = float | tuple[float, float, float]
FILM, VOLUME = "film", "volume"


def code_string(value: str) -> str:
    """Return a value of VR CS; raises ValueError for one that no header can have (PS3.5 6.2)."""
    if not re.fullmatch(r"[A-Z0-9_]([A-Z0-9_ ]{0,14}[A-Z0-9_])?", value):
        raise ValueError(f"{value!r}: 1 to 16 of A to Z, 0 to 9, underscore and inner spaces (PS3.5, VR CS)")
    return value


def view(value: str) -> str:
    """Return a defined term of ViewPosition; raises ValueError for another."""
    if value not in VIEWS:
        raise ValueError(f"{value!r}: none of {', '.join(VIEWS)}, the defined terms of ViewPosition (PS3.3 C.8.11.5)")
    return value


CodeString = Annotated[str, AfterValidator(code_string)]
View = Annotated[str, AfterValidator(view)]


class LevelsSection(Section):
    """How levels in [0, 1] become what the network takes: by a range, or by mean and deviation.

    Attributes
    ----------
    modalities, body_parts
        Values that a header may have; one of a body part that contains one of these, as ``PORT CHEST``, is accepted.
    channels
        1, or 3 for a network that was made for colour: the grey image stands in each.
    mean, deviation
        Subtracted, then divided by; of three channels one number for all or one for each.
    range
        What black and white become, in place of both.
    percentiles
        Levels of the image that become 0.0 and 1.0.
    """

    modalities: Annotated[tuple[CodeString, ...], Field(min_length=1)]
    body_parts: Annotated[tuple[CodeString, ...], Field(min_length=1)]
    channels: Literal[1, 3] = 1
    mean: PerChannel | None = None
    deviation: PerChannel | None = None
    range: Ends | None = None
    percentiles: Ends | None = None

    @field_validator("percentiles")
    @classmethod
    def _are_percentiles(cls, ends: Ends | None) -> Ends | None:
        if ends is not None and not 0.0 <= ends[0] < ends[1] <= 100.0:
            raise ValueError(f"{ends}: two percentiles in rising order, 0 to 100")
        return ends

    @field_validator("range")
    @classmethod
    def _differ(cls, ends: Ends | None) -> Ends | None:
        if ends is not None and ends[0] == ends[1]:
            raise ValueError(f"{ends}: black and white differ")
        return ends

    @field_validator("deviation")
    @classmethod
    def _is_positive(cls, deviation: PerChannel | None) -> PerChannel | None:
        numbers = deviation if isinstance(deviation, tuple) else (deviation,)
        if any(number is not None and number <= 0.0 for number in numbers):
            raise ValueError(f"{deviation}: above 0")
        return deviation

    @model_validator(mode="after")
    def _is_scaled_once(self) -> LevelsSection:
        given = [name for name in ("mean", "deviation", "range") if getattr(self, name) is not None]
        if given not in (["mean", "deviation"], ["range"]):
            raise ValueError(f"{' and '.join(given) or 'no scaling'}; give range, or mean and deviation")
        if self.channels == 1 and any(isinstance(each, tuple) for each in (self.mean, self.deviation)):
            raise ValueError("mean or deviation of three channels; channels is 1")
        return self

    def scaling(self) -> tuple[PerChannel, PerChannel]:
        """Return mean and deviation."""
        if self.range is None:
            assert self.mean is not None and self.deviation is not None  # noqa: S101 - narrows the type
            return self.mean, self.deviation
        black, white = self.range
        return -black / (white - black), 1.0 / (white - black)


class InputSection(LevelsSection):
    """What a model of films reads, and how.

    Attributes
    ----------
    cropped
        Part of a film that is cut off at each of its four sides before it is fitted.
    """

    kind: Literal["film"] = "film"
    views: Annotated[tuple[View, ...], Field(min_length=1)]
    side: Annotated[int, Field(ge=32, le=4096)]
    enhancement: str = "none"
    cropped: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0

    @field_validator("enhancement")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in ENHANCEMENTS:
            raise ValueError(f"{name!r} is none of {', '.join(ENHANCEMENTS)}")
        return name

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one prepared film: channels, rows, columns."""
        return self.channels, self.side, self.side

    def preprocessing(self) -> Preprocessing:
        """Return the code that prepares films for the model."""
        mean, deviation = self.scaling()
        return Preprocessing(
            self.side, mean, deviation, self.percentiles, self.enhancement, self.channels, self.cropped
        )

    def guard(self) -> Guard:
        """Return the check of headers."""
        return Guard(self.modalities, self.body_parts, self.views)


class VolumeSection(LevelsSection):
    """What a model of volumes reads, and how.

    Attributes
    ----------
    size, spacing_mm
        Slices, rows and columns of the model's grid, and the distances between them.
    orientation
        Sides of the patient towards which columns, rows and slices run: ``LPS`` is that of an axial series.
    window
        Values of the modality (HU for CT) that become 0.0 and 1.0; percentiles do where values have no unit (MR).
    """

    kind: Literal["volume"]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: Annotated[str, Field(pattern=r"^[LRAPSI]{3}$")] = "LPS"
    window: Ends | None = None

    @field_validator("size", "spacing_mm")
    @classmethod
    def _are_positive(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if min(lengths) <= 0:
            raise ValueError(f"{lengths}: slices, rows and columns, each above 0")
        return lengths

    @field_validator("orientation")
    @classmethod
    def _spans(cls, sides: str) -> str:
        if len(axes_of(sides)) != 3:
            raise ValueError(f"{sides!r}: one of L and R, one of A and P, one of S and I")
        return sides

    @model_validator(mode="after")
    def _has_levels(self) -> VolumeSection:
        if (self.window is None) == (self.percentiles is None):
            raise ValueError("a volume has either window or percentiles")
        if self.window is not None and self.window[0] >= self.window[1]:
            raise ValueError(f"window: {self.window}; two values in rising order")
        return self

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one prepared volume: channels, slices, rows, columns."""
        return self.channels, *self.size

    def preprocessing(self) -> VolumePreprocessing:
        """Return the code that prepares volumes for the model."""
        mean, deviation = self.scaling()
        return VolumePreprocessing(
            self.size, self.spacing_mm, mean, deviation, self.window, self.percentiles, self.channels, self.orientation
        )

    def guard(self) -> SeriesGuard:
        """Return the check of headers."""
        return SeriesGuard(self.modalities, self.body_parts, ())


def axes_of(sides: str) -> set[str]:
    """Return the axes of the patient along which named sides lie."""
    return {axis for side in sides for axis in ("LR", "AP", "SI") if side in axis}


def kind_of(table: object) -> str:
    """Return which of the two sections an input table is."""
    return str(table.get("kind", FILM)) if isinstance(table, dict) else str(getattr(table, "kind", FILM))
