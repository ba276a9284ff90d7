"""A model measured on films that it was not trained on, read as in serving."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rich.table import Table

from inference.errors import FilmError
from inference.figures import Outcome, roc_points, summary
from inference.films import ADULTS, CHILDREN, NORMAL, OPACITY, FilmFolder, LabelledFilm
from inference.geometry import resized
from inference.models import Answer, Model
from inference.types import Radiograph

Members = Callable[[LabelledFilm], bool]
FIGURES = ("auc", "accuracy", "sensitivity", "specificity", "macro_f", "calibration_error")
SPECIFICITIES = (0.80, 0.90, 0.95)


def is_read(film: LabelledFilm) -> bool:
    """True for an adult's film of the test split that RSNA's radiologists classed."""
    return film.population == ADULTS and film.split == "test" and film.is_certain and "boxed" not in film.stratum


POPULATIONS: Mapping[str, Members] = {
    "children, split by subject": lambda film: film.population == CHILDREN and film.split == "test",
    "children, official test folder": lambda film: film.split == "official-test",
    "adults, opacity against normal": lambda film: (
        is_read(film) and film.stratum in (f"{ADULTS}-{OPACITY}", f"{ADULTS}-{NORMAL}")
    ),
    "adults, opacity against all others": is_read,
}


@dataclass(frozen=True)
class Pointing:
    """How often the maximum of the map lies inside a radiologist's box.

    Attributes
    ----------
    chance
        Mean share of the film that the boxes cover.
    """

    films: int
    hits: int
    share: float
    chance: float


@dataclass(frozen=True)
class Report:
    """Figures of a model, as `evaluation.json` holds them."""

    model: str
    version: str
    digest: str
    threshold: float
    seed: int
    populations: Mapping[str, Mapping[str, object]]
    operating_points: Mapping[str, Sequence[Mapping[str, float]]]
    pointing: Pointing

    def json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Evaluation:
    """Reads the test films of a data folder with a model.

    Attributes
    ----------
    seed
        Of the split; that of the recipe, or training films are measured.
    """

    model: Model
    data: Path
    seed: int

    def report(self, progress: Progress) -> Report:
        """Return all figures of the first finding."""
        outcomes = self._outcomes(progress)
        finding = self.model.card.findings[0]
        return Report(
            model=self.model.card.name,
            version=self.model.card.version,
            digest=self.model.card.digest,
            threshold=finding.threshold,
            seed=self.seed,
            populations={name: summary(outcome, finding.threshold) for name, outcome in outcomes.items()},
            operating_points={name: operating_points(outcome) for name, outcome in outcomes.items()},
            pointing=self._pointing(progress),
        )

    def _outcomes(self, progress: Progress) -> dict[str, Outcome]:
        """Return the scores of every population, of children also at the original aspect ratio."""
        folder = FilmFolder(self.data)
        films = folder.films(self.seed)
        outcomes = {}
        for name, members in POPULATIONS.items():
            chosen = [film for film in films if members(film)]
            outcomes[name] = self._outcome(folder, chosen, progress, name)
            restorable = [film for film in chosen if film.aspect is not None and film.population == CHILDREN]
            if restorable:
                longer = f"{name}, original aspect ratio"
                outcomes[longer] = self._outcome(folder, restorable, progress, longer, restore=True)
        return outcomes

    def _outcome(
        self,
        folder: FilmFolder,
        films: Sequence[LabelledFilm],
        progress: Progress,
        name: str,
        *,
        restore: bool = False,
    ) -> Outcome:
        """Return scores and truth of films."""
        scores = []
        pairs = zip(films, folder.radiographs(films), strict=True)
        for film, square in progress.track(pairs, total=len(films), description=name):
            radiograph = at_aspect(square, film.aspect) if restore and film.aspect else square
            (answer,) = self.model.predict([self.model.prepare(radiograph)])
            scores.append(float(answered(answer).scores[0]))
        truth = np.array([film.target >= 0.5 for film in films])
        return Outcome(np.array(scores), truth, np.array([film.subject for film in films]))

    def _pointing(self, progress: Progress) -> Pointing:
        """Return how the maps agree with the boxes of the adults' test films."""
        folder = FilmFolder(self.data)
        boxes = folder.boxes([OPACITY])
        films = [film for film in folder.films(self.seed) if is_read(film) and film.file in boxes]
        pairs = zip(films, folder.radiographs(films), strict=True)
        inside = [
            boxed(radiograph, boxes[film.file])[self._peak(radiograph)]
            for film, radiograph in progress.track(pairs, total=len(films), description="boxes")
        ]
        areas = [
            boxed(radiograph, boxes[film.file]).mean()
            for film, radiograph in zip(films, folder.radiographs(films), strict=True)
        ]
        hits = int(np.sum(inside))
        return Pointing(len(films), hits, round(hits / max(1, len(films)), 4), round(float(np.mean(areas)), 4))

    def _peak(self, radiograph: Radiograph) -> tuple[int, int]:
        """Return the pixel of the film where the map is highest, the first one where there is no map."""
        prepared = self.model.prepare(radiograph)
        prediction = self.model.prediction(prepared, answered(self.model.predict([prepared])[0]))
        saliency = prediction.scores[0].saliency
        row, column = divmod(int(saliency.argmax()), saliency.shape[1]) if saliency is not None else (0, 0)
        return row, column


def answered(answer: Answer | FilmError) -> Answer:
    """Return an answer; a film of a test set that the model refuses stops the measurement."""
    if isinstance(answer, FilmError):
        raise answer
    return answer


def at_aspect(square: Radiograph, aspect: float) -> Radiograph:
    """Return a film of the archives, which hold squares, at its original aspect ratio."""
    rows, columns = square.pixels.shape
    size = (round(columns * aspect), rows) if aspect >= 1.0 else (columns, round(rows / aspect))
    return Radiograph(resized(square.pixels, size, cv2.INTER_LINEAR))


def boxed(radiograph: Radiograph, boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """Return where boxes lie on a film."""
    rows, columns = radiograph.pixels.shape
    inside = np.zeros((rows, columns), bool)
    for x, y, width, height in boxes:
        inside[round(y * rows) : round((y + height) * rows), round(x * columns) : round((x + width) * columns)] = True
    return inside


def operating_points(outcome: Outcome) -> list[dict[str, float]]:
    """Return the sensitivity at chosen specificities, with the threshold that gives it."""
    thresholds, sensitivities, false_rates = roc_points(outcome.scores, outcome.truth)
    points = []
    for specificity in SPECIFICITIES:
        index = int(np.flatnonzero(false_rates <= 1.0 - specificity + 1e-9)[-1:].sum())
        point = (specificity, float(sensitivities[index]), float(thresholds[index]))
        points.append(
            dict(
                zip(
                    ("specificity", "sensitivity", "threshold"),
                    (round(each, 4) for each in point),
                    strict=True,
                )
            )
        )
    return points


def tables(report: Report) -> list[Table]:
    """Return the report as tables for a terminal, one for each population."""
    return [population_table(report, name) for name in report.populations]


def population_table(report: Report, name: str) -> Table:
    """Return the figures, the confusion matrix and the operating points of a population."""
    values = report.populations[name]
    table = Table(title=name, title_justify="left", show_header=False, min_width=64)
    table.add_row("films", f"{values['films']}, {values['positive']} of them positive")
    table.add_row("tp, fp, fn, tn", ", ".join(str(count) for count in confusion_of(values)))
    for each in FIGURES:
        table.add_row(each, interval(values[each]))
    for point in report.operating_points[name]:
        reached = f"{point['sensitivity']:.3f} at threshold {point['threshold']:.3f}"
        table.add_row(f"sensitivity at specificity {point['specificity']:.2f}", reached)
    return table


def confusion_of(values: Mapping[str, object]) -> list[int]:
    """Return the four counts of a confusion matrix."""
    counts = values["confusion"]
    return [int(count) for count in counts.values()] if isinstance(counts, Mapping) else []


def interval(figure: object) -> str:
    """Return a figure with its interval."""
    if not isinstance(figure, Mapping) or None in figure.values():
        return "–"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
