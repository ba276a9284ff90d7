"""What a faster form of a network changes: it is used only where no decision becomes another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Form = TypeVar("Form")


@dataclass(frozen=True)
class Change:
    """How the scores of one form differ from those of another.

    Attributes
    ----------
    decisions
        Scores that lie on the other side of their threshold, of all films and findings.
    largest
        Largest difference of a score.
    of
        Number of scores.
    """

    decisions: int
    largest: float
    of: int


def change(reference: Floats, other: Floats, thresholds: Sequence[float]) -> Change:
    """Return what differs between the scores of two forms, (films, findings) each."""
    if reference.shape != other.shape:
        raise ValueError(f"scores: {other.shape}; the reference has {reference.shape}")
    limits = np.asarray(thresholds)
    # Not a number is above no threshold, and no decision either.
    moved = ((reference >= limits) != (other >= limits)) | ~np.isfinite(other)
    return Change(int(moved.sum()), float(np.abs(reference - other).max(initial=0.0)), reference.size)


def fastest_equal(forms: Sequence[Form], scores: Callable[[Form], Floats], thresholds: Sequence[float]) -> Form:
    """Return the first form that decides as the last one does.

    Parameters
    ----------
    forms
        From the fastest to the one that is right by definition.
    scores
        Gives the scores of a form on validation films, (films, findings).
    """
    *faster, exact = forms
    reference = scores(exact)
    for form in faster:
        if not change(reference, scores(form), thresholds).decisions:
            return form
    return exact
