"""Figures of parts of a population: where a model fails, it fails in a part first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inference.evaluation.outcomes import outcome_of
from inference.evaluation.reading import Reading
from inference.figures import Figure, figure, measures, resampled
from inference.film_folder import ADULTS, ADULTS_TABLE, CHILDREN, CHILDREN_TABLE, FilmFolder
from inference.film_tables import Row, years_of

SUBGROUP_FIGURES = ("auc", "sensitivity", "specificity")
AGES = ((18, 40), (40, 60), (60, 200))


@dataclass(frozen=True)
class Subgroup:
    """Part of a population.

    Attributes
    ----------
    quality
        What the parts differ in: ``age``, ``sex``, ``view``, ``type``, ``population``; ``shown`` for a whole
        population whose films are changed.
    films, positive
        Counts of what was read.
    """

    population: str
    quality: str
    name: str
    films: int
    positive: int
    figures: Mapping[str, Figure]


def age_of(row: Row) -> str | None:
    """Return the age group of an adult."""
    age = years_of(row)
    named = (f"{low} to {high - 1} years" if high < 200 else f"{low} years and more" for low, high in AGES)
    return next((name for (low, high), name in zip(AGES, named, strict=True) if low <= age < high), None)


def type_of(row: Row) -> str | None:
    """Return the kind of pneumonia that a child's film was labelled with; None for a normal film."""
    return {"bacteria": "bacterial", "virus": "viral"}.get(
        row["type"], row["type"] if row["type"] != "normal" else None
    )


# Of a film's row: the part that it belongs to. A film in none of them belongs to every part of its quality: normal
# films are compared with each type of pneumonia.
QUALITIES: Mapping[str, Mapping[str, Callable[[Row], str | None]]] = {
    ADULTS: {
        "age": age_of,
        "sex": lambda row: {"F": "female", "M": "male"}.get(row["sex"]),
        "view": lambda row: row["view"] or None,
    },
    CHILDREN: {"type": type_of},
}


def subgroups_of(
    folder: FilmFolder,
    named: Mapping[str, Sequence[Reading]],
    changed: Mapping[str, Mapping[str, Sequence[Reading]]],
    threshold: float,
) -> list[Subgroup]:
    """Return every part of the populations, each as a whole first and under each change last."""
    rows = {row["file"]: row for name in (CHILDREN_TABLE, ADULTS_TABLE) for row in folder.table(name)}
    groups = []
    for population, readings in named.items():
        groups.append(subgroup(population, "population", "all", readings, threshold))
        kind = readings[0].case.film.population
        for quality, part_of in QUALITIES[kind].items():
            parts = {reading: part_of(rows[reading.case.film.file]) for reading in readings}
            for part in sorted({each for each in parts.values() if each}):
                members = [reading for reading in readings if parts[reading] in (part, None)]
                groups.append(subgroup(population, quality, part, members, threshold))
        again = {change: others[population] for change, others in changed.items() if population in others}
        groups.extend(subgroup(population, "shown", change, each, threshold) for change, each in again.items())
    return groups


def subgroup(population: str, quality: str, name: str, members: Sequence[Reading], threshold: float) -> Subgroup:
    """Return the figures of a part."""
    outcome = outcome_of(members)
    samples = resampled(outcome.subjects, seed=0)
    chosen = {each: figure(outcome, measures(threshold)[each], samples) for each in SUBGROUP_FIGURES}
    return Subgroup(population, quality, name, len(outcome.truth), int(outcome.truth.sum()), chosen)
