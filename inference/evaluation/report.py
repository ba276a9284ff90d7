"""Figures of a model, as `evaluation.json` holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from inference.evaluation.pointing import Pointing
from inference.evaluation.reference import Reference
from inference.evaluation.subgroups import Subgroup
from inference.figures import Figure


@dataclass(frozen=True)
class NormalAdults:
    """What becomes of adults' films that radiologists call normal.

    Attributes
    ----------
    share
        Of these films at or above the threshold.
    specificity_at_sensitivity_80
        At the threshold that finds 80 % of the adults' opacities.
    """

    films: int
    flagged: int
    share: Figure
    specificity_at_sensitivity_80: Figure


@dataclass(frozen=True)
class Report:
    """All figures.

    Attributes
    ----------
    finding
        The one that was measured: name and code.
    populations
        Counts and figures with intervals by population; `refused` counts films by the code of the reason.
    pointing
        None for a model without maps.
    normal_adults
        None where no normal adult was read.
    class_separation
        Variance of the embedding between the classes by that within, by population; empty without embedding.
    """

    model: str
    version: str
    digest: str
    finding: str
    threshold: float
    seed: int
    protocol: str
    split: str
    populations: Mapping[str, Mapping[str, object]]
    operating_points: Mapping[str, Sequence[Mapping[str, float]]]
    pointing: Pointing | None
    normal_adults: NormalAdults | None
    reference: Sequence[Reference]
    subgroups: Sequence[Subgroup]
    class_separation: Mapping[str, float]

    def json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"
