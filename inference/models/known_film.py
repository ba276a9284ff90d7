"""Whether a golden film can be one of the model whose card names it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from inference.card import CardFile
from inference.serving.golden import Golden

# A faulty device differs by more than a hundredth; a tolerance of more than this would tell none.
MOST_TOLERANCE = 0.1


def faults_of_golden(golden: Golden, card: CardFile) -> Iterator[str]:
    """Yield why a golden film tells nothing of a device that runs the model of a card."""
    name = card.golden.file if card.golden else "golden film"
    yield from (f"{name}: {fault}" for fault in faults_of_content(golden, card))


def faults_of_content(golden: Golden, card: CardFile) -> Iterator[str]:
    """Yield which arrays of a golden film cannot be those of the model of a card."""
    if golden.tensor.shape != card.input.grid:
        yield f"tensor: shape {golden.tensor.shape}; the card prepares {card.input.kind}s of {card.input.grid}"
    if not np.isfinite(golden.tensor).all():
        yield "tensor: not every value is finite"
    scores = golden.scores
    if scores.shape != (len(card.findings),):
        yield f"scores: shape {scores.shape}; the card names {len(card.findings)} findings"
    if not ((scores >= 0.0) & (scores <= 1.0)).all():  # true of what is not a number too
        yield f"scores: {scores.tolist()}; a score lies in [0, 1]"
    if golden.peaks.ndim != 2 or golden.peaks.shape[1:] != (2,) or len(golden.peaks) not in (0, len(card.findings)):
        yield f"peaks: shape {golden.peaks.shape}; row and column of the map of each finding, or of none"
    if not 0.0 < golden.tolerance <= MOST_TOLERANCE:
        yield f"tolerance: {golden.tolerance}; above 0, at most {MOST_TOLERANCE}"
