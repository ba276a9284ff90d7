"""A published model's scores of the same adults' films, beside which a figure means something.

References
----------
* Rajpurkar et al., CheXNet, 2017; J. Zech, reproduce-chexnet, 2018 (predictions as published)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.outcomes import answered, outcome_of
from inference.evaluation.reading import Reading
from inference.figures import Figure, Measure, Outcome, auc, difference, figure, measures, resampled
from inference.film_folder import ADULTS_TABLE, FilmFolder
from inference.film_tables import number, rows_of

REFERENCE_TABLE = "nih_reference_chexnet_preds.csv"
IMAGE = "Image Index"
# The outputs that come nearest to an opacity that looks like pneumonia; all are shown, so that none is chosen here.
OUTPUTS = ("Pneumonia", "Consolidation", "Infiltration")


@dataclass(frozen=True)
class Reference:
    """A published output and the model on the adults' films that both read.

    Attributes
    ----------
    difference
        AUC of the model less that of the published output, paired.
    """

    name: str
    population: str
    films: int
    positive: int
    auc: Figure
    specificity_at_sensitivity_80: Figure
    model_auc: Figure
    model_specificity_at_sensitivity_80: Figure
    difference: Figure


def published(folder: FilmFolder) -> dict[str, dict[str, float]]:
    """Return published scores by file and output; nothing where the data folder has no table of them."""
    path = folder.path / REFERENCE_TABLE
    if not path.is_file():
        return {}
    rows = rows_of(path, (IMAGE, *(f"prob_{name}" for name in OUTPUTS)))
    scores = {row[IMAGE]: row for row in rows}
    return {
        row["file"]: {
            name: number({**row, **scores[row["nih_image"]]}, f"prob_{name}", "a published score", 0.0, 1.0)
            for name in OUTPUTS
        }
        for row in folder.table(ADULTS_TABLE)
        if row["nih_image"] in scores
    }


def references_of(folder: FilmFolder, named: Mapping[str, Sequence[Reading]]) -> list[Reference]:
    """Return the published outputs on each population that they were given for."""
    known = published(folder)
    found = []
    for population, readings in named.items():
        common = [reading for reading in answered(readings) if reading.case.film.file in known]
        if common:
            found += [reference(name, population, common, known) for name in OUTPUTS]
    return found


def reference(
    name: str, population: str, readings: Sequence[Reading], known: Mapping[str, Mapping[str, float]]
) -> Reference:
    """Return one published output beside the model."""
    own = outcome_of(readings)
    theirs = Outcome(np.array([known[each.case.film.file][name] for each in readings]), own.truth, own.subjects)
    samples = resampled(own.subjects, seed=0)
    specificity: Measure = measures(0.5)["specificity_at_sensitivity_80"]
    return Reference(
        f"CheXNet reproduction, {name}", population, len(own.truth), int(own.truth.sum()),
        figure(theirs, auc, samples), figure(theirs, specificity, samples),
        figure(own, auc, samples), figure(own, specificity, samples),
        difference((theirs, auc), (own, auc), samples),
    )  # fmt: skip
