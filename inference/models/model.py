"""A model as the node uses it: guard, prepare, predict, put the map back on the film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.atlas import Atlas
from inference.errors import UNFAMILIAR, FilmError, InvalidCardError, UnsuitableFilmError
from inference.guard import Guard
from inference.models.port import Network, Outputs
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.scoring import Scoring
from inference.serving.golden import Golden
from inference.types import Familiarity, ModelCard, Prediction, Radiograph, Score

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """What a network says of one film: small, plain arrays that travel and are cached.

    Attributes
    ----------
    scores
        float32, (findings,): calibrated, in [0, 1], in the order of the card.
    cams
        float32, (findings, rows, columns): class activation maps on the network's own grid, None without. The
        mean of a map is the logit before calibration.
    familiarity
        What the film is like among those that the model knows; None where the model keeps no atlas.
    """

    scores: Floats
    cams: Floats | None = None
    familiarity: Familiarity | None = None


@dataclass(frozen=True)
class Model:
    """A model that was checked when it was loaded; safe to use from several threads at once.

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
    preprocessing: Preprocessing
    guard: Guard
    scoring: Scoring
    network: Network
    atlas: Atlas | None = None
    golden: Golden | None = None

    def __post_init__(self) -> None:
        expected, given = len(self.card.findings), self.network.outputs
        if given not in (None, expected):
            raise InvalidCardError(f"findings: the card names {expected}, the network gives {given}")
        if self.network.side not in (None, self.preprocessing.side):
            raise InvalidCardError(f"input.side: {self.preprocessing.side}, the network takes {self.network.side}")

    def refusal(self, attributes: Mapping[str, str]) -> FilmError | None:
        """Return why a film with this header must not be read, or None."""
        return self.guard.refusal(attributes)

    def prepare(self, film: Radiograph) -> PreparedFilm:
        """Return a film on the grid of the model."""
        return self.preprocessing.prepare(film)

    def predict(self, films: Sequence[PreparedFilm]) -> list[Answer | FilmError]:
        """Return an answer for each film, or why it must not have one.

        A refusal is one film's own: the network gave a value that is not finite (`not-finite`), or the film is
        unlike every film that the model knows (`unfamiliar`).
        """
        if not films:
            return []
        outputs = self.network.run(np.stack([film.tensor for film in films]))
        return [self._answer(outputs, index) for index in range(len(films))]

    def prediction(self, film: PreparedFilm, answer: Answer) -> Prediction:
        """Return an answer with its maps on the source grid of the film."""
        cams = [None] * len(answer.scores) if answer.cams is None else list(answer.cams)
        triples = zip(self.card.findings, answer.scores, cams, strict=True)
        scores = tuple(Score(finding, float(score), self._saliency(film, cam)) for finding, score, cam in triples)
        return Prediction(self.card, scores, answer.familiarity)

    def _answer(self, outputs: Outputs, index: int) -> Answer | FilmError:
        """Return what one film of a batch comes to."""
        own = outputs.of(index)
        if not own.is_finite:
            return UnsuitableFilmError("not-finite", f"outputs of {self.card.name}: not every value is finite")
        familiarity = None
        if self.atlas is not None and own.embedding is not None:
            familiarity = self.atlas.familiarity(own.embedding)
            if not familiarity.is_known:
                return UnsuitableFilmError(UNFAMILIAR, familiarity.reason)
        return Answer(self.scoring.scores(own.logits), own.cams, familiarity)

    def _saliency(self, film: PreparedFilm, cam: Floats | None) -> Floats | None:
        """Return what speaks for a finding, its peak at 1.0; None where nothing does or there is no map."""
        if cam is None or self.card.explanation is None:
            return None
        evidence = film.geometry.to_source(np.maximum(cam, 0.0))
        peak = float(evidence.max())
        return evidence / np.float32(peak) if peak > 0.0 else None
