"""What a model says of an instance, worked out when the instance arrives and kept until it is needed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dicom_node.errors import ModelUnavailableError
from dicom_node.fitness import Fitness
from dicom_node.opening import Film, Judge, Openings
from dicom_node.preprocess.decoders import DecoderDiedError
from dicom_node.suspects import Suspects
from inference.errors import FilmError
from inference.models import Answer, Model
from inference.preprocessing import PreparedFilm
from inference.serving.service import Service
from inference.types import Prediction
from structured_reports.port import Refusal

# A film in the spool that is wanted by nobody yet: about 6 MB each with its display copy.
MOST_KEPT = 64


@dataclass(frozen=True)
class Answered:
    """A film that a model read.

    Attributes
    ----------
    spans
        Stage, start (seconds since the epoch), duration (seconds).
    """

    model: Model
    film: Film
    answer: Answer
    spans: tuple[tuple[str, float, float], ...]

    @property
    def highest(self) -> float:
        """Highest score of any finding."""
        return float(self.answer.scores.max())

    @property
    def prediction(self) -> Prediction:
        """What the model says, with its maps on the grid of the film."""
        return self.model.prediction(self.film.prepared, self.answer)


@dataclass(frozen=True)
class Source:
    """An instance in the spool: its content digest, its file, and the AE titles that brought it.

    Attributes
    ----------
    calling_ae, called_ae
        Empty where that is not known.
    """

    sha256: str
    path: Path
    calling_ae: str = ""
    called_ae: str = ""


class Films:
    """Answers of one model by content digest: the same bytes are predicted once."""

    def __init__(self, service: Service, openings: Openings, suspects: Suspects, threads: int) -> None:
        self.service = service
        self.fitness = Fitness(service, suspects)
        self._suspects = suspects
        model = service.model
        self._openings = openings
        self._judge = Judge(model.preprocessing, model.card.attributes, model.guard)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="film")
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Future[Answered | Refusal]] = OrderedDict()

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self.service.model

    def begin(self, source: Source) -> None:
        """Start on an instance that just arrived, unless there is more to do already than is worth keeping."""
        with self._lock:
            busy = sum(not future.done() for future in self._kept.values())
        if busy < MOST_KEPT // 2 and self.fitness.fault is None:
            self._future(source)

    def answer(self, source: Source) -> Answered | Refusal:
        """Return what the model says of an instance, or why it was not asked.

        Raises
        ------
        ModelUnavailableError
            Nothing that the device says can be believed.
        """
        if self.fitness.fault is not None:
            raise ModelUnavailableError(f"{self.model.card.name}: {self.fitness.fault}")
        try:
            return self._future(source).result()
        except Exception:
            # The next attempt shall work it out anew, not meet the old failure again.
            self.forget(source.sha256)
            raise

    def forget(self, sha256: str) -> None:
        """Drop an answer that is no longer needed."""
        with self._lock:
            self._kept.pop(sha256, None)

    def close(self) -> None:
        """Stop working, the model too."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.service.close()

    def _future(self, source: Source) -> Future[Answered | Refusal]:
        with self._lock:
            if source.sha256 not in self._kept:
                self._kept[source.sha256] = self._threads.submit(self._work, source)
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[source.sha256]

    def _work(self, source: Source) -> Answered | Refusal:
        if self._suspects.is_banned(source.sha256):
            return Refusal("hang", "the model came to no end on the instance twice; it is kept and will not be read")
        begun = time.time()
        try:
            film = self._openings.film(source.path, self._judge)
        except DecoderDiedError:
            return Refusal("decoder", "the instance killed its decoder twice; it is kept and will not be read")
        if isinstance(film, Refusal):
            return film
        decoded = time.time()
        answer = self._asked(film.prepared, source.sha256)
        if isinstance(answer, FilmError):
            return Refusal(answer.code, answer.reason)
        spans = (("decode", begun, decoded - begun), ("infer", decoded, time.time() - decoded))
        return Answered(self.model, film, answer, spans)

    def _asked(self, prepared: PreparedFilm, sha256: str) -> Answer | FilmError:
        try:
            return self.service.answer(prepared, sha256, alone=self._suspects.hangs(sha256) > 0)
        except Exception:
            self.fitness.doubt()
            raise
