"""A model as the node uses it: guard, prepare, predict, put the map back on the film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import FilmError, InvalidCardError, UnsuitableFilmError
from inference.guard import Guard
from inference.models.port import Network
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.types import ModelCard, Prediction, Radiograph, Score

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """What a network says of one film: small, plain arrays that travel and are cached.

    Attributes
    ----------
    scores
        float32, (findings,): calibrated, in [0, 1], in the order of the card.
    cams
        float32, (findings, rows, columns): class activation maps on the network's own grid. The mean of a map
        is the logit before calibration.
    """

    scores: Floats
    cams: Floats


@dataclass(frozen=True)
class Model:
    """A model that was checked when it was loaded; safe to use from several threads at once.

    Attributes
    ----------
    preprocessing
        Can be sent to a worker process by itself: it needs no runtime of the network.
    temperatures
        float32, (findings,): what logits are divided by.
    """

    card: ModelCard
    preprocessing: Preprocessing
    guard: Guard
    temperatures: tuple[float, ...]
    network: Network

    def __post_init__(self) -> None:
        expected, given = len(self.card.findings), self.network.findings
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

    def predict(self, films: Sequence[PreparedFilm]) -> list[Answer]:
        """Return an answer for each film.

        Raises
        ------
        UnsuitableFilmError
            The network gave a value that is not finite (`not-finite`).
        """
        if not films:
            return []
        logits, cams = self.network.run(np.stack([film.tensor for film in films]))
        if not (np.isfinite(logits).all() and np.isfinite(cams).all()):
            raise UnsuitableFilmError("not-finite", f"logits of {self.card.name}: not every value is finite")
        scores = sigmoid(np.divide(logits, self.temperatures, dtype=np.float32))
        return [Answer(each, cam) for each, cam in zip(scores, cams, strict=True)]

    def prediction(self, film: PreparedFilm, answer: Answer) -> Prediction:
        """Return an answer with its maps on the source grid of the film."""
        triples = zip(self.card.findings, answer.scores, answer.cams, strict=True)
        return Prediction(
            self.card,
            tuple(Score(finding, float(score), self._saliency(film, cam)) for finding, score, cam in triples),
        )

    def _saliency(self, film: PreparedFilm, cam: Floats) -> Floats | None:
        """Return what speaks for a finding, its peak at 1.0; None where nothing does or there is no map."""
        if self.card.explanation is None:
            return None
        evidence = film.geometry.to_source(np.maximum(cam, 0.0))
        peak = float(evidence.max())
        return evidence / np.float32(peak) if peak > 0.0 else None


def sigmoid(logits: Floats) -> Floats:
    """Return logits as scores in [0, 1]."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0))), np.float32)
