"""A model, the films that it was kept from, and everything that is measured on them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from rich.progress import Progress

from inference.changes import CHANGES
from inference.errors import FilmError
from inference.evaluation.embedding import Scatter, scatters_of
from inference.evaluation.measured_finding import measured_finding, with_measured_finding
from inference.evaluation.outcomes import operating_points, outcome_of, refusals
from inference.evaluation.pointing import Pointed, pointed, pointing_of
from inference.evaluation.populations import ALL_ADULTS, NORMAL_ADULTS, Case, Cohort, cohorts_of
from inference.evaluation.protocol import TEST, Protocol
from inference.evaluation.reading import Reader, Reading, Readings
from inference.evaluation.reference import references_of
from inference.evaluation.report import NormalAdults, Report
from inference.evaluation.subgroups import subgroups_of
from inference.figures import Figure, figure, measures, resampled, summary
from inference.film_folder import ADULTS, NORMAL, OPACITY, FilmFolder
from inference.models import Model

Named = Mapping[str, Sequence[Reading]]
ByChange = Mapping[str, Named]


@dataclass(frozen=True)
class Measured:
    """What a model said of the films of a split, and what follows from it.

    Attributes
    ----------
    model
        With the measured finding alone.
    readings
        By population; a film that belongs to two is read once.
    changed
        By change and population.
    pointed
        The adults' films with boxes of opacities.
    """

    model: Model
    folder: FilmFolder
    readings: Named
    changed: ByChange
    pointed: Sequence[Pointed]
    scatters: Sequence[Scatter]
    report: Report

    @property
    def stored(self) -> Named:
        """Readings of films as the archives hold them."""
        return {name: each for name, each in self.readings.items() if not each[0].case.restored}

    def write(self, out: Path) -> None:
        """Write `evaluation.json` and `predictions.csv`."""
        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(self.report.json(), encoding="utf-8")
        with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as lines:
            table = csv.writer(lines)
            table.writerow(("population", "file", "label", "score", "subject", "split", "refused"))
            table.writerows(row_of(name, reading) for name, each in self.readings.items() for reading in each)
            for change, readings in self.changed.items():
                table.writerows(row_of(f"{name}, {change}", one) for name, each in readings.items() for one in each)


def cases_of(cohorts: Iterable[Cohort]) -> list[Case]:
    """Return every case of some populations."""
    return [case for cohort in cohorts for case in cohort.cases]


def named(cohorts: Sequence[Cohort], readings: Readings) -> Named:
    """Return the readings of each population."""
    return {cohort.name: [readings[case] for case in cohort.cases] for cohort in cohorts}


def row_of(population: str, reading: Reading) -> tuple[object, ...]:
    """Return a line of `predictions.csv`."""
    film = reading.case.film
    score = "" if reading.score is None else f"{reading.score:.6f}"
    refused = reading.answer.code if isinstance(reading.answer, FilmError) else ""
    return (population, film.file, int(reading.truth), score, film.subject, film.split, refused)


@dataclass(frozen=True)
class Evaluation:
    """Reads the films of a split with a model and measures what it says.

    Attributes
    ----------
    protocol
        That of the recipe, or training films are measured.
    split
        ``test``, or ``validation`` for choices, which are never made on test films.
    """

    model: Model
    data: Path
    protocol: Protocol
    split: str = TEST

    @cached_property
    def measured_model(self) -> Model:
        """The model with the finding alone that the films are labelled with; raises ModelError where it has none."""
        return with_measured_finding(self.model)

    def measured(self, progress: Progress) -> Measured:
        """Return all readings and figures of the finding that the films are labelled with.

        Raises
        ------
        ModelError
            The model has no such finding.
        """
        model = self.measured_model
        folder = FilmFolder(self.data)
        readings, changed = self._read(folder, progress)
        stored = {name: each for name, each in readings.items() if not each[0].case.restored}
        boxed = pointed(model, stored.get(ALL_ADULTS, ()), folder.boxes([OPACITY]))
        scatters = scatters_of({name: each for name, each in stored.items() if name != NORMAL_ADULTS})
        report = self._report(folder, readings, changed, boxed, scatters, progress)
        return Measured(model, folder, readings, changed, boxed, scatters, report)

    def _read(self, folder: FilmFolder, progress: Progress) -> tuple[Named, ByChange]:
        """Return the readings of each population, and those of films that were changed."""
        cohorts = cohorts_of(self.protocol.kept(folder, self.split), self.protocol.split)
        reader = Reader(self.measured_model, folder)
        stored = reader.read(cases_of(cohorts), progress, "reading films")
        again = [each.only(lambda case: stored[case].score is not None) for each in cohorts if each.is_changed]
        under = {change: [each.under(change) for each in again] for change in CHANGES}
        changed = reader.read(cases_of(chain(*under.values())), progress, "reading them changed")
        return named(cohorts, stored), {change: named(each, changed) for change, each in under.items()}

    def _report(
        self,
        folder: FilmFolder,
        readings: Named,
        changed: ByChange,
        boxed: Sequence[Pointed],
        scatters: Sequence[Scatter],
        progress: Progress,
    ) -> Report:
        card = self.measured_model.card
        threshold = card.findings[0].threshold
        outcomes = {name: outcome_of(each) for name, each in readings.items()}
        adults = {name: each for name, each in readings.items() if each[0].case.film.population == ADULTS}
        parts = {name: each for name, each in readings.items() if not each[0].case.restored and name != NORMAL_ADULTS}
        populations = {
            name: {**summary(outcomes[name], threshold), "refused": refusals(each)}
            for name, each in progress.track(readings.items(), description="intervals")
        }
        return Report(
            model=card.name, version=card.version, digest=card.digest,
            finding=measured_finding(self.measured_model), threshold=threshold,
            seed=self.protocol.seed, protocol=self.protocol.split, split=self.split,
            populations=populations,
            operating_points={name: operating_points(outcome) for name, outcome in outcomes.items()},
            pointing=pointing_of(boxed),
            normal_adults=normal_adults(adults, threshold),
            reference=references_of(folder, adults),
            subgroups=subgroups_of(folder, parts, changed, threshold),
            class_separation={each.population: each.ratio for each in scatters},
        )  # fmt: skip


def normal_adults(adults: Named, threshold: float) -> NormalAdults | None:
    """Return what becomes of normal adults, None where none was read."""
    readings = adults.get(NORMAL_ADULTS, ())
    normal = outcome_of([each for each in readings if each.case.film.stratum == f"{ADULTS}-{NORMAL}"])
    if not len(normal.truth):
        return None
    flagged = normal.scores >= threshold
    share = figure(normal, lambda scores, _: float((scores >= threshold).mean()), resampled(normal.subjects, seed=0))
    return NormalAdults(len(flagged), int(flagged.sum()), share, specificity_of(readings))


def specificity_of(readings: Sequence[Reading]) -> Figure:
    """Return the specificity at the threshold that finds 80 % of the opacities."""
    outcome = outcome_of(readings)
    return figure(outcome, measures(0.5)["specificity_at_sensitivity_80"], resampled(outcome.subjects, seed=0))
