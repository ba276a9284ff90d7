"""Which films a model was kept from, as the recipe beside its weights says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference.errors import InvalidRecipeError
from inference.film_folder import ADULTS, BY_FILM, BY_SUBJECT, FilmFolder, LabelledFilm
from inference.recipe_table import RECIPE, recipe_table

DECIDES = "the seed and the protocol of a recipe decide which films are test films"
TEST, VALIDATION = "test", "validation"
# The official test folder is a test for every model that is split by subject.
SPLITS = {TEST: ("test", "official-test"), VALIDATION: ("validation",)}


@dataclass(frozen=True)
class Protocol:
    """How films were split before training.

    Attributes
    ----------
    split
        ``subject`` or ``film``.
    """

    seed: int
    split: str = BY_SUBJECT

    def __post_init__(self) -> None:
        if self.split not in (BY_SUBJECT, BY_FILM):
            raise InvalidRecipeError(f"protocol.split: {self.split!r} is none of {BY_SUBJECT}, {BY_FILM}")

    def films(self, folder: FilmFolder) -> list[LabelledFilm]:
        """Return every film with its split; adults too where training knew children only."""
        films = folder.films(self.seed, self.split)
        if self.split == BY_SUBJECT:
            return films
        return films + [film for film in folder.films(self.seed) if film.population == ADULTS]

    def kept(self, folder: FilmFolder, split: str) -> list[LabelledFilm]:
        """Return the films of a split, a key of `SPLITS`."""
        return [film for film in self.films(folder) if film.split in SPLITS[split]]

    def seen(self, folder: FilmFolder) -> list[LabelledFilm]:
        """Return the films that training or its choices rested on."""
        films = folder.films(self.seed, self.split)
        return [film for film in films if film.split in ("train", "validation")]


def protocol_of(model_folder: Path) -> Protocol:
    """Return the protocol in ``recipe.toml`` of a model folder; only this part is read, so no torch is needed.

    Raises
    ------
    InvalidRecipeError
        No recipe, one that is no TOML, no seed in it, or an unknown split.
    """
    path = model_folder / RECIPE
    if not path.is_file():
        raise InvalidRecipeError(f"{path}: not found; {DECIDES}, so that no model is measured without it")
    recipe = recipe_table(path)
    if "seed" not in recipe:
        raise InvalidRecipeError(f"{path}: seed not found; {DECIDES}")
    seed, protocol = recipe["seed"], recipe.get("protocol", {})
    if type(seed) is not int or not isinstance(protocol, dict):  # true is an int to Python, and none in TOML
        said = f"seed: {seed!r}" if type(seed) is not int else f"protocol: {protocol!r}"
        raise InvalidRecipeError(f"{path}: {said}; seed is a whole number, and protocol a table")
    try:
        return Protocol(seed, protocol.get("split", BY_SUBJECT))
    except InvalidRecipeError as error:
        raise InvalidRecipeError(f"{path}: {error}") from error
