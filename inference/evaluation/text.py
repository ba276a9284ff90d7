"""Figures as words, for terminal, pictures and page alike."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from inference.evaluation.populations import ORIGINAL_ASPECT


def interval(figure: object) -> str:
    """Return a figure with its interval; a dash where it is not defined."""
    if not isinstance(figure, Mapping) or None in figure.values():
        return "–"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def signed(figure: object) -> str:
    """Return a difference with its interval and signs."""
    if not isinstance(figure, Mapping) or None in figure.values():
        return "–"
    return f"{figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"


def wrapped(name: str) -> str:
    """Return the name of a population on lines that fit a panel."""
    return "\n".join(textwrap.wrap(name, 40))


def confusion_of(values: Mapping[str, object]) -> dict[str, int]:
    """Return the four counts of a confusion matrix by name: tp, fp, fn, tn."""
    counts = values["confusion"]
    return {name: int(count) for name, count in counts.items()} if isinstance(counts, Mapping) else {}


def refused_of(values: Mapping[str, object]) -> dict[str, int]:
    """Return how many films of a population the model refused, by code."""
    counts = values["refused"]
    return {code: int(count) for code, count in counts.items()} if isinstance(counts, Mapping) else {}


def is_restored(population: str) -> bool:
    """True for a population that is read at its original aspect ratio."""
    return population.endswith(ORIGINAL_ASPECT)
