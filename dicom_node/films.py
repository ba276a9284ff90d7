"""What a model says of an instance, worked out when the instance arrives and kept until it is needed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_node.deidentify.projection import projection
from dicom_node.errors import ModelUnavailableError
from dicom_node.fitness import Fitness
from dicom_node.preprocess.decoders import DecoderDiedError, Decoders
from dicom_node.suspects import Suspects
from inference.errors import FilmError
from inference.film import display_pixels, to_radiograph
from inference.models import Answer, Model
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.projection import allowed_attributes
from inference.serving.service import Service
from structured_reports.port import Refusal

# A film in the spool that is wanted by nobody yet: about 6 MB each with its display copy.
MOST_KEPT = 64

# The largest detectors have a sixth of it.
MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Film:
    """A decoded film, ready for a model and for a page."""

    prepared: PreparedFilm
    display: NDArray[np.uint8]


@dataclass(frozen=True)
class Answered:
    """A film that a model read.

    Attributes
    ----------
    spans
        Stage, start (seconds since the epoch), duration (seconds).
    """

    film: Film
    answer: Answer
    spans: tuple[tuple[str, float, float], ...]

    @property
    def highest(self) -> float:
        """Highest score of any finding."""
        return float(self.answer.scores.max())


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


@dataclass(frozen=True)
class Judge:
    """The part of a model that a decoding process needs: it judges headers and prepares pixels."""

    preprocessing: Preprocessing
    asked: tuple[str, ...]
    refusal: Callable[..., FilmError | None]


def open_film(path: Path, judge: Judge) -> Film | Refusal:
    """Return the film in a file, or why a model may not read it; runs in a decoding process."""
    try:
        # The header first: a series of the wrong kind costs no decoding.
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if refused := judge.refusal(allowed_attributes(projection(header))):
            raise refused
        _require_plausible_size(header)
        radiograph = to_radiograph(projection(pydicom.dcmread(path), judge.asked), judge.asked)
        return Film(judge.preprocessing.prepare(radiograph), display_pixels(radiograph))
    except FilmError as error:
        return Refusal(error.code, error.reason)
    except OSError:
        raise  # the disk, not the instance: the study is read again later
    except Exception as error:
        # pydicom raises nearly anything on a broken file. The kind of error names no value of it.
        return Refusal("pixels", f"the instance cannot be decoded ({type(error).__name__})")


def _require_plausible_size(header: Dataset) -> None:
    """Raise for an image that no detector makes: it would take the memory of everything else."""
    pixels = int(header.get("Rows") or 0) * int(header.get("Columns") or 0)
    if pixels > MOST_PIXELS:
        raise FilmError("pixels", f"Rows × Columns: {pixels}; a film has at most {MOST_PIXELS}")


class Films:
    """Answers by content digest: the same bytes are decoded and predicted once."""

    def __init__(self, service: Service, decoders: Decoders, suspects: Suspects, threads: int) -> None:
        self.service = service
        self.fitness = Fitness(service, suspects)
        self._suspects = suspects
        model = service.model
        self._decoders = decoders
        self._judge = Judge(model.preprocessing, model.card.attributes, model.guard.refusal)
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
        """Stop working."""
        self._threads.shutdown(wait=False, cancel_futures=True)

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
            film = self._decoders.run(open_film, source.path, self._judge)
        except DecoderDiedError:
            return Refusal("decoder", "the instance killed its decoder twice; it is kept and will not be read")
        if isinstance(film, Refusal):
            return film
        decoded = time.time()
        answer = self._asked(film.prepared, source.sha256)
        if isinstance(answer, FilmError):
            return Refusal(answer.code, answer.reason)
        spans = (("decode", begun, decoded - begun), ("infer", decoded, time.time() - decoded))
        return Answered(film, answer, spans)

    def _asked(self, prepared: PreparedFilm, sha256: str) -> Answer | FilmError:
        try:
            return self.service.answer(prepared, sha256, alone=self._suspects.hangs(sha256) > 0)
        except Exception:
            self.fitness.doubt()
            raise
