"""What a model says of what it was given, worked out once and kept until it is needed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from dicom_node.errors import ModelUnavailableError
from dicom_node.fitness import Fitness
from dicom_node.preprocess.decoders import DecoderDiedError
from dicom_node.suspects import Suspects
from inference.errors import FilmError
from inference.models.model import Answer
from inference.serving.service import Service
from inference.types import ModelCard
from structured_reports.port import Refusal

Spans = tuple[tuple[str, float, float], ...]
"""Stage, start (seconds since the epoch), duration (seconds)."""


class Subject(Protocol):
    """What a model is asked about.

    Attributes
    ----------
    noun
        What people call it.
    """

    noun: ClassVar[str]

    @property
    def sha256(self) -> str:
        """Digest of its content."""


class Opened(Protocol):
    """A subject, decoded."""

    @property
    def prepared(self) -> Any:  # noqa: ANN401  the service hands it to the model that it was prepared for
        """It on the grid of the model."""


SubjectT = TypeVar("SubjectT", bound=Subject)
OpenedT = TypeVar("OpenedT", bound=Opened)
AnsweredT = TypeVar("AnsweredT")


class Answers(ABC, Generic[SubjectT, OpenedT, AnsweredT]):
    """Answers of one model by content digest: the same bytes are predicted once.

    Attributes
    ----------
    most_kept
        How many answers wait for somebody to ask.
    """

    most_kept: ClassVar[int]

    def __init__(self, service: Service, suspects: Suspects, threads: int) -> None:
        self.service = service
        self.fitness = Fitness(service, suspects)
        self._suspects = suspects
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="film")
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Future[AnsweredT | Refusal]] = OrderedDict()

    @property
    def card(self) -> ModelCard:
        """The card of the model that answers."""
        return self.service.model.card

    def begin(self, subject: SubjectT) -> None:
        """Start on what just arrived, unless there is more to do already than is worth keeping."""
        with self._lock:
            busy = sum(not future.done() for future in self._kept.values())
        if busy < self.most_kept // 2 and self.fitness.fault is None:
            self._future(subject)

    def answer(self, subject: SubjectT) -> AnsweredT | Refusal:
        """Return what the model says of a subject, or why it was not asked.

        Raises
        ------
        ModelUnavailableError
            Nothing that the device says can be believed.
        """
        self._require_fitness()
        try:
            answered = self._future(subject).result()
        except Exception:
            # The next attempt shall work it out anew, not meet the old failure again.
            self.forget(subject.sha256)
            raise
        # It may have been found out while it was at this.
        self._require_fitness()
        return answered

    def forget(self, sha256: str) -> None:
        """Drop an answer that is no longer needed."""
        with self._lock:
            self._kept.pop(sha256, None)

    def close(self) -> None:
        """Stop working, the model too."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.service.close()

    @abstractmethod
    def _opened(self, subject: SubjectT) -> OpenedT | Refusal:
        """Return a subject decoded, or why the model may not read it; raises DecoderDiedError and OSError."""

    @abstractmethod
    def _answered(self, subject: SubjectT, opened: OpenedT, answer: Answer, spans: Spans) -> AnsweredT | Refusal:
        """Return what is kept of an answer; raises DecoderDiedError and OSError."""

    def _future(self, subject: SubjectT) -> Future[AnsweredT | Refusal]:
        with self._lock:
            if subject.sha256 not in self._kept:
                self._kept[subject.sha256] = self._threads.submit(self._work, subject)
                while len(self._kept) > self.most_kept:
                    self._kept.popitem(last=False)
            return self._kept[subject.sha256]

    def _require_fitness(self) -> None:
        if self.fitness.fault is not None:
            raise ModelUnavailableError(f"{self.card.name}: {self.fitness.fault}")

    def _work(self, subject: SubjectT) -> AnsweredT | Refusal:
        noun = subject.noun
        if self._suspects.is_banned(subject.sha256):
            return Refusal("hang", f"the model came to no end on the {noun} twice; it is kept and will not be read")
        begun = time.time()
        try:
            opened = self._opened(subject)
            if isinstance(opened, Refusal):
                return opened
            decoded = time.time()
            answer = self._asked(opened, subject.sha256)
            if isinstance(answer, FilmError):
                return Refusal(answer.code, answer.reason)
            spans = (("decode", begun, decoded - begun), ("infer", decoded, time.time() - decoded))
            return self._answered(subject, opened, answer, spans)
        except DecoderDiedError:
            return Refusal("decoder", f"the {noun} killed its decoder twice; it is kept and will not be read")

    def _asked(self, opened: OpenedT, sha256: str) -> Answer | FilmError:
        try:
            return self.service.answer(opened.prepared, sha256, alone=self._suspects.hangs(sha256) > 0)
        except Exception:
            self.fitness.doubt()
            raise
