"""What a site knows of its devices: where they write on an image, or that they do not."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydicom import uid as uids
from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_node.deidentify.image_kinds import text, words
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.errors import SettingsError


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _folded(value: object) -> object:
    listed = _listed(value)
    return tuple(str(word).strip().upper() for word in listed) if isinstance(listed, (list, tuple)) else listed


def _sop_classes(value: object) -> object:
    listed = _listed(value)
    if not isinstance(listed, (list, tuple)):
        return listed
    named = [(str(name), getattr(uids, str(name), name)) for name in listed]
    found = tuple(known if isinstance(known, UID) else UID(name, IGNORE) for name, known in named)
    if unknown := [str(uid) for uid in found if uid.type != "SOP Class"]:
        raise ValueError(f"{unknown[0]!r} is no SOP class: the UID or keyword of PS3.6 Table A-1 stands here")
    return found


_Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_folded)]
_Classes = Annotated[tuple[str, ...], BeforeValidator(_sop_classes), Field(min_length=1)]
_Sizes = Annotated[int, Field(ge=1, le=65535, strict=True)]

# Condition of a rule, and the attribute that it is about.
_WORDS = {
    "modality": "Modality", "manufacturer": "Manufacturer", "model": "ManufacturerModelName",
    "software": "SoftwareVersions", "image_type": "ImageType",
}  # fmt: skip
_NUMBERS = {"rows": "Rows", "columns": "Columns"}


class PixelRule(BaseModel):
    """One kind of image, and what to black out in it; no rectangles: nothing is written on it.

    Every condition that is given holds: one of its values is the attribute's, whole, whatever the case of letters.
    Of `image_type` each value must be among the attribute's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    source: str = ""
    sop_class: _Classes
    modality: _Words = ()
    manufacturer: _Words = ()
    model: _Words = ()
    software: _Words = ()
    image_type: _Words = ()
    rows: _Sizes | None = None
    columns: _Sizes | None = None
    rectangles: tuple[Rectangle, ...] = ()

    @model_validator(mode="after")
    def _rectangles_stand_in_a_known_image(self) -> PixelRule:
        if not self.rectangles:
            return self
        if self.rows is None or self.columns is None or not self.manufacturer or not self.model:
            raise ValueError(
                f"{self.name}: a rule with rectangles names manufacturer, model, rows and columns: "
                "another device or size has its text elsewhere"
            )
        for place in self.rectangles:
            if not place.fits(self.rows, self.columns):
                raise ValueError(
                    f"{self.name}: the rectangle from column {place.left}, row {place.top} with width {place.width}, "
                    f"height {place.height} leaves the image of {self.rows} rows and {self.columns} columns"
                )
        return self

    @property
    def length(self) -> int:
        """How many conditions it has: of the rules that match an image, the longest is obeyed."""
        return 1 + sum(bool(getattr(self, name)) for name in (*_WORDS, *_NUMBERS))

    def matches(self, dataset: Dataset) -> bool:
        """Return whether all conditions hold."""
        if text(dataset, "SOPClassUID") not in self.sop_class:
            return False
        for name, keyword in _NUMBERS.items():
            wanted = getattr(self, name)
            if wanted is not None and dataset.get(keyword) != wanted:
                return False
        return all(self._holds(name, words(dataset, keyword)) for name, keyword in _WORDS.items())

    def contradicts(self, other: PixelRule) -> bool:
        """Return whether an image could match both, neither is longer, and they say different things."""
        if self.length != other.length or set(self.rectangles) == set(other.rectangles):
            return False
        if not set(self.sop_class) & set(other.sop_class):
            return False
        numbers = [(getattr(self, name), getattr(other, name)) for name in _NUMBERS]
        if any(ours and theirs and ours != theirs for ours, theirs in numbers):
            return False
        # An image type or a list of software versions has several values at once, so two of them never exclude.
        pairs = [(getattr(self, name), getattr(other, name)) for name in ("modality", "manufacturer", "model")]
        return all(not ours or not theirs or set(ours) & set(theirs) for ours, theirs in pairs)

    def _holds(self, name: str, values: list[str]) -> bool:
        wanted = set(getattr(self, name))
        if not wanted:
            return True
        return wanted <= set(values) if name == "image_type" else bool(wanted & set(values))


class PixelRules(BaseModel):
    """The rules of a site; without any, what may show identity is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: tuple[PixelRule, ...] = ()

    @model_validator(mode="after")
    def _rules_agree(self) -> PixelRules:
        for one, other in combinations(self.rule, 2):
            if one.name == other.name:
                raise ValueError(f"two rules are named {one.name!r}; names are unique")
            if one.contradicts(other):
                raise ValueError(f"{one.name!r} and {other.name!r} contradict: one image can match both")
        return self

    def match(self, dataset: Dataset) -> PixelRule | None:
        """Return the longest rule that matches, if any."""
        return max((rule for rule in self.rule if rule.matches(dataset)), key=lambda rule: rule.length, default=None)


def load_rules(path: Path) -> PixelRules:
    """Return the rules of a TOML file.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, or breaks rules; the message lists every fault with its rule and value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return PixelRules.model_validate(tables)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        faults = "\n".join(f"  {_fault(fault, tables)}" for fault in error.errors())
        raise SettingsError(f"{path}:\n{faults}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _fault(fault: Any, tables: Mapping[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    message = str(fault["msg"]).removeprefix("Value error, ")
    place = list(fault["loc"])
    if place[:1] == ["rule"] and len(place) > 1 and isinstance(place[1], int):
        given = tables["rule"][place[1]]
        place[1] = repr(given["name"]) if isinstance(given, dict) and "name" in given else place[1]
    where = ".".join(str(part) for part in place)
    # The whole rule or file is no value to show.
    value = "" if isinstance(fault["input"], dict) else f"{fault['input']!r}: "
    return f"{where}: {value}{message}" if where else message
