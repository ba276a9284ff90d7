"""The groups of films that are measured apart: figures of one say little about another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from inference.errors import MissingDataError
from inference.film_folder import ADULTS, BY_FILM, BY_SUBJECT, CHILDREN, NORMAL, OPACITY, LabelledFilm

Members = Callable[[LabelledFilm], bool]

ORIGINAL_ASPECT = "original aspect ratio"
NORMAL_ADULTS = "adults, opacity against normal"
ALL_ADULTS = "adults, opacity against all others"


class Case(NamedTuple):
    """A film as it is shown to a model.

    Attributes
    ----------
    restored
        At its original aspect ratio, where the archive holds a square.
    change
        Key of `inference.changes.CHANGES`, None as it is.
    """

    film: LabelledFilm
    restored: bool = False
    change: str | None = None


def is_read(film: LabelledFilm) -> bool:
    """True for an adult's film that RSNA's radiologists classed."""
    return film.population == ADULTS and film.is_certain and "boxed" not in film.stratum


ADULT_MEMBERS: Mapping[str, Members] = {
    NORMAL_ADULTS: lambda film: is_read(film) and film.stratum in (f"{ADULTS}-{OPACITY}", f"{ADULTS}-{NORMAL}"),
    ALL_ADULTS: is_read,
}
CHILDREN_BY_SUBJECT, CHILDREN_BY_FILM = "children, split by subject", "children, split by film"
# By protocol; of the films of one split, which belong together.
POPULATIONS: Mapping[str, Mapping[str, Members]] = {
    BY_SUBJECT: {
        CHILDREN_BY_SUBJECT: lambda film: film.population == CHILDREN and film.split != "official-test",
        "children, official test folder": lambda film: film.split == "official-test",
        **ADULT_MEMBERS,
    },
    BY_FILM: {CHILDREN_BY_FILM: lambda film: film.population == CHILDREN, **ADULT_MEMBERS},
}
CHANGED = (CHILDREN_BY_SUBJECT, CHILDREN_BY_FILM, ALL_ADULTS)


@dataclass(frozen=True)
class Cohort:
    """A population as it is read: a name and its cases."""

    name: str
    cases: tuple[Case, ...]

    @property
    def is_changed(self) -> bool:
        """True if its films are read again under each of `CHANGES`."""
        return self.name in CHANGED

    def only(self, wanted: Callable[[Case], bool]) -> Cohort:
        """Return the population without the cases that are not wanted."""
        return Cohort(self.name, tuple(filter(wanted, self.cases)))

    def under(self, change: str) -> Cohort:
        """Return the population as it is read under a change."""
        return Cohort(self.name, tuple(case._replace(change=change) for case in self.cases))


def cohorts_of(films: Sequence[LabelledFilm], protocol: str) -> list[Cohort]:
    """Return the populations among films, those of children also at the original aspect ratio.

    Raises
    ------
    MissingDataError
        No film belongs to any population.
    """
    cohorts = []
    for name, members in POPULATIONS[protocol].items():
        chosen = [film for film in films if members(film)]
        restorable = [film for film in chosen if film.aspect is not None and film.population == CHILDREN]
        cohorts.append(Cohort(name, tuple(Case(film) for film in chosen)))
        cohorts.append(Cohort(f"{name}, {ORIGINAL_ASPECT}", tuple(Case(film, restored=True) for film in restorable)))
    found = [cohort for cohort in cohorts if cohort.cases]
    if not found:
        raise MissingDataError(f"films: none of {len(films)} belongs to {', '.join(POPULATIONS[protocol])}")
    return found
