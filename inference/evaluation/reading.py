"""Each film read once: score, maps and embedding together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from inference.changes import changed
from inference.errors import FilmError
from inference.evaluation.populations import Case
from inference.film_folder import FilmFolder, at_aspect
from inference.models import Answer, Model, PreparedFilm
from inference.models.port import Network, Outputs
from inference.types import Radiograph

Floats = NDArray[np.float32]
NO_PIXELS = np.zeros((0,), np.float32)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model said of a case.

    Attributes
    ----------
    answer
        Or why there is none.
    embedding
        float32, (channels,); None where the network gives none or the film was not shown to it.
    frame
        The prepared film without its pixels: the way back to the film. None where it could not be prepared.
    """

    case: Case
    answer: Answer | FilmError
    embedding: Floats | None = None
    frame: PreparedFilm | None = None

    @property
    def score(self) -> float | None:
        """Score of the measured finding, None for a film that the model refused."""
        return None if isinstance(self.answer, FilmError) else float(self.answer.scores[0])

    @property
    def truth(self) -> bool:
        """True for a film with the finding."""
        return self.case.film.target >= 0.5


Readings = Mapping[Case, Reading]


@dataclass
class Recorder:
    """A network that keeps what it said last: a `Model` passes on scores and maps, but no embedding."""

    network: Network
    last: Outputs | None = field(default=None, init=False)

    def __getattr__(self, name: str) -> object:
        """Return what the network itself says of everything else."""
        return getattr(self.network, name)

    def run(self, films: Floats) -> Outputs:
        """Return what the network says of a batch."""
        self.last = self.network.run(films)
        return self.last


@dataclass(frozen=True)
class Reader:
    """Reads films of a folder with a model, one by one as in serving."""

    model: Model
    folder: FilmFolder

    def read(self, cases: Iterable[Case], progress: Progress, description: str) -> Readings:
        """Return a reading of each case; a film that is refused is one of them."""
        chosen = list(dict.fromkeys(cases))
        recorder = Recorder(self.model.network)
        recorded = replace(self.model, network=cast(Network, recorder))
        pairs = zip(chosen, self.folder.radiographs([case.film for case in chosen]), strict=True)
        return {
            case: read_case(recorded, recorder, case, stored)
            for case, stored in progress.track(pairs, total=len(chosen), description=description)
        }


def read_case(model: Model, recorder: Recorder, case: Case, stored: Radiograph) -> Reading:
    """Return what a model says of a case."""
    try:
        prepared = model.prepare(shown(case, stored))
    except FilmError as refusal:
        return Reading(case, refusal)
    (answer,) = model.predict([prepared])
    said = recorder.last
    embedding = None if said is None or said.embedding is None else said.embedding[0]
    return Reading(case, answer, embedding, replace(prepared, tensor=NO_PIXELS))


def shown(case: Case, stored: Radiograph) -> Radiograph:
    """Return a film as the case shows it."""
    aspect = case.film.aspect
    if case.change is not None:
        return changed(stored, case.change)
    if not case.restored or aspect is None:
        return stored
    return at_aspect(stored, aspect)


def saliency_of(model: Model, reading: Reading) -> Floats | None:
    """Return the map of the measured finding on the grid of the film, peak at 1.0; None without."""
    if isinstance(reading.answer, FilmError) or reading.frame is None:
        return None
    return model.prediction(reading.frame, reading.answer).scores[0].saliency
