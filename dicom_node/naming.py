"""What tells the models of a node apart in the few letters that a viewer shows of a series."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Viewers cut SeriesDescription at about twenty letters: this word, "AI" and the kind of the object fit.
MOST_LETTERS = 9


def distinguishing_words(models: Sequence[str]) -> tuple[str, ...]:
    """Return a short word for each model, unlike those of all others; empty for the only one.

    It is the first part of its name that no other has, else its version, else its place.

    Parameters
    ----------
    models
        Name and version of each: ``chest-densenet 1.0``.
    """
    if len(models) < 2:
        return ("",) * len(models)
    words = [_words(model) for model in models]
    taken = [{each.lower() for each in own} for own in words]
    found = []
    for place, own in enumerate(words):
        others = set().union(*taken[:place], *taken[place + 1 :])
        found.append(next((word for word in own if word.lower() not in others), f"model {place + 1}"))
    return tuple(found)


def _words(model: str) -> list[str]:
    """Return the parts of a name, then its version, none longer than a viewer shows."""
    name, _, version = model.rpartition(" ")
    parts = [part for part in re.split(r"[-_\s]+", name or version) if part]
    return [part[:MOST_LETTERS] for part in (*parts, f"v{version}") if part]
