"""What a model says of an instance, worked out when the instance arrives and kept until it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dicom_node.answers import Answers, Spans
from dicom_node.opening import Film, Judge, Openings
from dicom_node.suspects import Suspects
from inference.models import Answer, Model
from inference.serving.service import Service
from inference.types import Prediction
from structured_reports.port import Refusal
from structured_reports.slices import Slices

# A film in the spool that is wanted by nobody yet: about 6 MB each with its display copy.
MOST_KEPT = 64


@dataclass(frozen=True)
class Source:
    """An instance in the spool: its content digest, its file, and the AE titles that brought it.

    Attributes
    ----------
    calling_ae, called_ae
        Empty where that is not known.
    series_uid
        SeriesInstanceUID: models of volumes are asked about all instances of a study that share it.
    """

    noun: ClassVar[str] = "instance"

    sha256: str
    path: Path
    calling_ae: str = ""
    called_ae: str = ""
    series_uid: str = ""


@dataclass(frozen=True)
class Answered:
    """A film that a model read."""

    model: Model
    source: Source
    film: Film
    answer: Answer
    spans: Spans

    @property
    def highest(self) -> float:
        """Highest score of any finding."""
        return float(self.answer.scores.max())

    @property
    def prediction(self) -> Prediction:
        """What the model says, with its maps on the grid of the film."""
        return self.model.prediction(self.film.prepared, self.answer)

    @property
    def display(self) -> NDArray[np.uint8]:
        """The film as a viewer shows it."""
        return self.film.display

    @property
    def slices(self) -> Slices | None:
        """The series that was read: a film is none."""
        return None


class Films(Answers[Source, Film, Answered]):
    """Answers of one model of films."""

    most_kept = MOST_KEPT

    def __init__(self, service: Service, openings: Openings, suspects: Suspects, threads: int) -> None:
        super().__init__(service, suspects, threads)
        self._openings = openings
        self._judge = Judge(self.model.preprocessing, self.model.guard)

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self.service.model

    def _opened(self, subject: Source) -> Film | Refusal:
        return self._openings.film(subject.path, self._judge)

    def _answered(self, subject: Source, opened: Film, answer: Answer, spans: Spans) -> Answered:
        return Answered(self.model, subject, opened, answer, spans)
