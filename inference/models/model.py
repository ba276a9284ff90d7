"""A model as the node uses it: guard, prepare, predict, put the map back on the film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.atlas import Atlas
from inference.errors import FilmError, UnsuitableFilmError
from inference.guard import Guard
from inference.models.port import Network, Outputs
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.scoring import Scoring
from inference.serving.golden import Golden
from inference.types import Familiarity, ModelCard, Prediction, Radiograph, Score
from inference.volume_preprocessing import PreparedVolume, VolumePreprocessing

Floats = NDArray[np.float32]
Preparing = TypeVar("Preparing", bound=Preprocessing | VolumePreprocessing)


class Prepared(Protocol):
    """A film or a volume on the grid of a model."""

    @property
    def tensor(self) -> Floats:
        """float32, normalised, channels first."""


@dataclass(frozen=True)
class Answer:
    """What a network says of one film: small, plain arrays that travel and are cached.

    Attributes
    ----------
    scores
        float32, (findings,): calibrated, in [0, 1], in the order of the card.
    cams
        float32, (findings, rows, columns): class activation maps on the network's own grid, None without. The
        mean of a map is the logit before calibration, less the bias. Of a volume (findings, slices, rows, columns).
    familiarity
        What the film is like among those that the model knows; None where the model keeps no atlas.
    """

    scores: Floats
    cams: Floats | None = None
    familiarity: Familiarity | None = None


@dataclass(frozen=True)
class Classifier(Generic[Preparing]):
    """What models of films and of volumes share; safe to use from several threads at once.

    Attributes
    ----------
    preprocessing
        Can be sent to a worker process by itself: it needs no runtime of the network.
    atlas
        Films that the model knows, None where it keeps none.
    golden
        A film and the answer that every device must give to it, None where the card names none.
    """

    card: ModelCard
    preprocessing: Preparing
    guard: Guard
    scoring: Scoring
    network: Network
    atlas: Atlas | None = None
    golden: Golden | None = None

    def refusal(self, attributes: Mapping[str, str]) -> FilmError | None:
        """Return why a film with this header must not be read, or None."""
        return self.guard.refusal(attributes)

    def predict(self, films: Sequence[Prepared]) -> list[Answer | FilmError]:
        """Return an answer for each film, or why it must not have one.

        A refusal is one film's own: the network gave a value that is not finite, or calibration made one of it
        (`not-finite`); it gave no probability (`not-probable`); or the film is unlike every film that the model
        knows (`unfamiliar`).
        """
        return self.answers(self.outputs(films), len(films)) if films else []

    def outputs(self, films: Sequence[Prepared]) -> Outputs:
        """Return what the network says of one film or more: the part of `predict` that keeps its device busy."""
        return self.network.run(np.stack([film.tensor for film in films]))

    def answers(self, outputs: Outputs, films: int) -> list[Answer | FilmError]:
        """Return what each film of a batch comes to; see `predict`."""
        return [self._answer(outputs, index) for index in range(films)]

    def golden_fault(self) -> str | None:
        """Return how the golden film is answered otherwise than its file says, None where it is not or is none."""
        if self.golden is None:
            return None
        (answer,) = self.predict([self.golden.film])
        return self.golden.mismatch(answer)

    def _answer(self, outputs: Outputs, index: int) -> Answer | FilmError:
        """Return what one film of a batch comes to."""
        own = outputs.of(index)
        if not own.is_finite:
            return UnsuitableFilmError("not-finite", f"outputs of {self.card.name}: not every value is finite")
        fault = self.scoring.fault(own.logits)
        if fault:
            return UnsuitableFilmError("not-probable", f"outputs of {self.card.name}: {fault}")
        familiarity = None
        if self.atlas is not None and own.embedding is not None:
            familiarity = self.atlas.familiarity(own.embedding)
            refusal = self.atlas.refusal(own.embedding, familiarity)
            if refusal is not None:
                return refusal
        scores = self.scoring.scores(own.logits)
        if not np.isfinite(scores).all():
            return UnsuitableFilmError("not-finite", f"scores of {self.card.name}: not every one is finite")
        return Answer(scores, self._maps_of_findings(own.cams), familiarity)

    def _maps_of_findings(self, cams: Floats | None) -> Floats | None:
        """Return the maps of the outputs that findings read."""
        return None if cams is None else np.moveaxis(self.scoring.of_findings(np.moveaxis(cams, 0, -1)), -1, 0)


@dataclass(frozen=True)
class Model(Classifier[Preprocessing]):
    """A model of films that was checked when it was loaded."""

    def prepare(self, film: Radiograph) -> PreparedFilm:
        """Return a film on the grid of the model."""
        return self.preprocessing.prepare(film)

    def prediction(self, film: PreparedFilm, answer: Answer) -> Prediction:
        """Return an answer with its maps on the source grid of the film."""
        cams = [None] * len(answer.scores) if answer.cams is None else list(answer.cams)
        triples = zip(self.card.findings, answer.scores, cams, strict=True)
        scores = tuple(Score(finding, float(score), self._saliency(film, cam)) for finding, score, cam in triples)
        return Prediction(self.card, scores, answer.familiarity)

    def _saliency(self, film: PreparedFilm, cam: Floats | None) -> Floats | None:
        """Return what speaks for a finding, its peak at 1.0; None where nothing does or there is no map."""
        if cam is None or self.card.explanation is None:
            return None
        evidence = film.geometry.to_source(np.maximum(cam, 0.0))
        peak = float(evidence.max())
        return None if peak <= 0.0 else evidence / np.float32(peak)  # NaN goes on, and is refused


@dataclass(frozen=True)
class VolumeModel(Classifier[VolumePreprocessing]):
    """A model of volumes that was checked when it was loaded; `PreparedVolume.place` puts a map into the patient."""

    def prepare(self, slices: Sequence[Dataset]) -> PreparedVolume:
        """Return one series on the grid of the model."""
        return self.preprocessing.prepare(slices)
