"""How far a training run is; told to whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One batch that was learned."""

    epoch: int
    step: int
    steps: int
    loss: float
