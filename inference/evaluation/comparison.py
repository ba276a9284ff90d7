"""Models side by side on films that none of them was trained or chosen on."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import Progress

from inference.errors import FilmError, InferenceError, MissingDataError, ModelError
from inference.evaluation.measured_finding import measured_finding, with_measured_finding
from inference.evaluation.outcomes import outcome_of, refusals
from inference.evaluation.populations import Case, Cohort, cohorts_of
from inference.evaluation.protocol import TEST, Protocol, protocol_of
from inference.evaluation.reading import Reader, Reading, Readings
from inference.figures import Figure, Outcome, difference, figure, measures, resampled
from inference.film_folder import BY_FILM, BY_SUBJECT, FilmFolder, LabelledFilm
from inference.models import Model, load_proven

FEWEST_MODELS = 2


@dataclass(frozen=True)
class Contender:
    """A model with the protocol that kept films from it.

    Attributes
    ----------
    label
        Differs from that of every other contender.
    model
        With the finding alone that the films are labelled with.
    """

    label: str
    model: Model
    protocol: Protocol
    folder: Path

    @property
    def threshold(self) -> float:
        """Operating point of the measured finding."""
        return self.model.card.findings[0].threshold


def contenders_in(folders: Sequence[Path]) -> list[Contender]:
    """Return the models in folders; models of one name and version are told apart by numbers.

    Raises
    ------
    MissingDataError
        Fewer than two folders.
    InferenceError
        Models that cannot be compared, or have no finding that the films are labelled with; every one is named.
    """
    if len(folders) < FEWEST_MODELS:
        raise MissingDataError(f"models: {len(folders)} given; a comparison needs {FEWEST_MODELS} or more")
    opened = [opened_in(folder) for folder in folders]
    errors = {str(each): each for each in opened if isinstance(each, InferenceError)}
    if errors:
        raise next(iter(errors.values())) if len(errors) == 1 else InferenceError("\n".join(errors))
    seen: Counter[str] = Counter()
    contenders = []
    for folder, (model, protocol) in zip(folders, (each for each in opened if isinstance(each, tuple)), strict=True):
        name = f"{model.card.name} {model.card.version}"
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        contenders.append(Contender(label, model, protocol, folder))
    return contenders


def opened_in(folder: Path) -> tuple[Model, Protocol] | InferenceError:
    """Return the model in a folder with its protocol, or why it cannot be compared."""
    try:
        return with_measured_finding(load_proven(folder)), protocol_of(folder)
    except InferenceError as error:
        return error


@dataclass(frozen=True)
class Standing:
    """A model on one population: its figures, and how they differ from those of the first model.

    Attributes
    ----------
    differences
        This model less the first, paired; exactly zero for the first itself.
    """

    model: str
    refused: Mapping[str, int]
    figures: Mapping[str, Figure]
    differences: Mapping[str, Figure]


@dataclass(frozen=True)
class Contest:
    """All models on the films of one population that every one of them answered."""

    population: str
    films: int
    positive: int
    subjects: int
    standings: Sequence[Standing]


@dataclass(frozen=True)
class Common:
    """Which films may be compared on.

    Attributes
    ----------
    films
        Test films of every model that belong to a population.
    acquainted
        By model: films among them of a subject of whom it saw another film, as a split film by film allows.
    """

    films: Sequence[LabelledFilm]
    protocol: str
    acquainted: Mapping[str, int]


@dataclass(frozen=True)
class Compared:
    """What several models said of the same films.

    Attributes
    ----------
    readings
        By population, then by model; the films of a population are in one order.
    """

    contenders: Sequence[Contender]
    folder: FilmFolder
    common: Common
    readings: Mapping[str, Mapping[str, Sequence[Reading]]]
    contests: Sequence[Contest]

    def outcomes(self, population: str) -> dict[str, Outcome]:
        """Return the outcome of each model on the films that all answered."""
        return {label: outcome_of(each) for label, each in shared(self.readings[population]).items()}

    def json(self) -> str:
        """Return everything that was measured as JSON."""
        models = [
            {"label": each.label, "digest": each.model.card.digest,
             "finding": measured_finding(each.model), "threshold": each.threshold,
             "seed": each.protocol.seed, "protocol": each.protocol.split,
             "acquainted": self.common.acquainted[each.label]}
            for each in self.contenders
        ]  # fmt: skip
        contests = [asdict(each) for each in self.contests]
        return json.dumps({"films": len(self.common.films), "models": models, "contests": contests}, indent=2) + "\n"

    def write(self, out: Path) -> None:
        """Write `comparison.json` and `predictions.csv`, a column of scores for each model."""
        out.mkdir(parents=True, exist_ok=True)
        (out / "comparison.json").write_text(self.json(), encoding="utf-8")
        with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as lines:
            table = csv.writer(lines)
            table.writerow(("population", "file", "label", "subject", *(each.label for each in self.contenders)))
            for population, models in self.readings.items():
                for row in zip(*models.values(), strict=True):
                    film = row[0].case.film
                    scores = (said(reading) for reading in row)
                    table.writerow((population, film.file, int(row[0].truth), film.subject, *scores))


def said(reading: Reading) -> str:
    """Return a score, or why there is none."""
    return reading.answer.code if isinstance(reading.answer, FilmError) else f"{reading.score:.6f}"


@dataclass(frozen=True)
class Comparison:
    """Reads the test films that models have in common with each of them."""

    contenders: Sequence[Contender]
    data: Path

    def common(self) -> Common:
        """Return the films that are test films of every model.

        Raises
        ------
        MissingDataError
            There is none.
        """
        folder = FilmFolder(self.data)
        kept = [{film.file for film in each.protocol.kept(folder, TEST)} for each in self.contenders]
        # Populations are named after the stricter protocol, which alone knows the official test folder.
        protocol = next((each.protocol for each in self.contenders if each.protocol.split == BY_SUBJECT), None)
        protocol = protocol or self.contenders[0].protocol
        files = set.intersection(*kept)
        films = [film for film in protocol.kept(folder, TEST) if film.file in files]
        if not films:
            counts = ", ".join(f"{each.label} {len(own)}" for each, own in zip(self.contenders, kept, strict=True))
            raise MissingDataError(
                f"films: no test film in common ({counts}); a comparison needs films that no model was trained or "
                "chosen on, so train with one seed and one protocol"
            )
        cohorts = cohorts_of(films, protocol.split)
        films = list(dict.fromkeys(case.film for cohort in cohorts for case in cohort.cases))
        acquainted = {each.label: acquaintance(each.protocol, folder, films) for each in self.contenders}
        return Common(films, protocol.split, acquainted)

    def compared(self, progress: Progress) -> Compared:
        """Return all readings and the paired differences of their figures."""
        folder, common = FilmFolder(self.data), self.common()
        cohorts = cohorts_of(common.films, common.protocol)
        cases = [case for cohort in cohorts for case in cohort.cases]
        said = {each.label: readings_of(each, folder, cases, progress) for each in self.contenders}
        readings = {cohort.name: read_by(cohort, said) for cohort in cohorts}
        contests = [
            contest(name, models, self.contenders)
            for name, models in progress.track(readings.items(), description="intervals")
        ]
        return Compared(self.contenders, folder, common, readings, contests)


def readings_of(contender: Contender, folder: FilmFolder, cases: Sequence[Case], progress: Progress) -> Readings:
    """Return what a model says of films; raises ModelError, which names its folder, where it fails on one."""
    try:
        return Reader(contender.model, folder).read(cases, progress, contender.label)
    except ModelError as error:
        raise ModelError(f"{contender.folder}: {error}") from error


def acquaintance(protocol: Protocol, folder: FilmFolder, films: Sequence[LabelledFilm]) -> int:
    """Return how many films show a subject of whom training saw another film; none where subjects were kept apart."""
    if protocol.split != BY_FILM:
        return 0
    seen = {film.subject for film in protocol.seen(folder)}
    return sum(film.subject in seen for film in films)


def read_by(cohort: Cohort, said: Mapping[str, Mapping[Case, Reading]]) -> dict[str, list[Reading]]:
    """Return the readings of a population by model."""
    return {label: [readings[case] for case in cohort.cases] for label, readings in said.items()}


def shared(models: Mapping[str, Sequence[Reading]]) -> dict[str, list[Reading]]:
    """Return the readings of films that every model answered."""
    answered = [all(reading.score is not None for reading in row) for row in zip(*models.values(), strict=True)]
    return {
        label: [reading for reading, kept in zip(readings, answered, strict=True) if kept]
        for label, readings in models.items()
    }


def contest(population: str, models: Mapping[str, Sequence[Reading]], contenders: Sequence[Contender]) -> Contest:
    """Return the figures of all models on a population."""
    outcomes = {label: outcome_of(readings) for label, readings in shared(models).items()}
    first = outcomes[contenders[0].label]
    samples = resampled(first.subjects, seed=0)
    standings = []
    for each in contenders:
        own, named = outcomes[each.label], measures(each.threshold)
        baseline = measures(contenders[0].threshold)
        figures = {name: figure(own, measure, samples) for name, measure in named.items()}
        differences = {
            name: difference((first, baseline[name]), (own, measure), samples) for name, measure in named.items()
        }
        standings.append(Standing(each.label, refusals(models[each.label]), figures, differences))
    return Contest(population, len(first.truth), int(first.truth.sum()), len(set(first.subjects)), standings)
