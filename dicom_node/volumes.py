"""What a model of volumes says of a series, worked out when its study is complete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from dicom_node.answers import Answers, Spans
from dicom_node.films import Source
from dicom_node.opening import Openings
from dicom_node.opening_series import SeriesJudge, Volume, open_series, open_slice
from dicom_node.suspects import Suspects
from inference.models import Answer, VolumeModel
from inference.serving.service import Service
from inference.types import ModelCard, Prediction, Score
from inference.volume_maps import map_on_slice, peak_slice, side_of_first
from inference.volume_preprocessing import PreparedVolume, SeriesGuard
from structured_reports.port import Refusal
from structured_reports.selection import leading_score
from structured_reports.slices import Slices


@dataclass(frozen=True)
class Series:
    """All instances of a study that share a SeriesInstanceUID."""

    noun: ClassVar[str] = "series"

    sources: tuple[Source, ...]

    @cached_property
    def sha256(self) -> str:
        """Digest of the digests of its instances, in whatever order they came."""
        return hashlib.sha256("".join(sorted(each.sha256 for each in self.sources)).encode()).hexdigest()


@dataclass(frozen=True)
class AnsweredSeries:
    """A series that a model read.

    Attributes
    ----------
    source
        The slice that is shown.
    display
        It as a viewer shows it.
    """

    prediction: Prediction
    source: Source
    display: NDArray[np.uint8]
    slices: Slices
    spans: Spans

    @property
    def highest(self) -> float:
        """Highest score of any finding."""
        return max(score.score for score in self.prediction.scores)


class Volumes(Answers[Series, Volume, AnsweredSeries]):
    """Answers of one model of volumes.

    Parameters
    ----------
    points
        False where the model may not point at image locations.
    """

    most_kept = 4

    def __init__(self, service: Service, openings: Openings, suspects: Suspects, threads: int, *, points: bool) -> None:
        super().__init__(service, suspects, threads)
        self._openings = openings
        self._points = points
        # A service hands on what it is given: to it a volume is a film with one dimension more.
        model = cast(VolumeModel, service.model)
        self._judge = SeriesJudge(model.preprocessing, cast(SeriesGuard, model.guard))

    def _opened(self, subject: Series) -> Volume | Refusal:
        return self._openings.run(open_series, [each.path for each in subject.sources], self._judge)

    def _answered(self, subject: Series, opened: Volume, answer: Answer, spans: Spans) -> AnsweredSeries | Refusal:
        volume = opened.prepared
        prediction, shown, is_peak = prediction_on_slice(self.card, volume, answer, points=self._points)
        source = subject.sources[volume.stack.order[shown]]
        display = self._openings.run(open_slice, source.path)
        if isinstance(display, Refusal):
            return display
        return AnsweredSeries(prediction, source, display, _slices(opened, shown, is_peak=is_peak), spans)


def prediction_on_slice(
    card: ModelCard, volume: PreparedVolume, answer: Answer, *, points: bool
) -> tuple[Prediction, int, bool]:
    """Return what a model says of a series, the slice that shows it best, and whether a map peaks there.

    That is the slice on which the map of the leading finding has its maximum, where the finding is above its
    threshold and the model may point at places; else the middle one. Only this finding has its map: those of others
    peak elsewhere.
    """
    pairs = zip(card.findings, answer.scores, strict=True)
    scores = tuple(Score(finding, float(score)) for finding, score in pairs)
    prediction = Prediction(card, scores, answer.familiarity)
    leading = leading_score(prediction)
    if not points or not leading.above or answer.cams is None or card.explanation is None:
        return prediction, volume.stack.middle, False
    number = scores.index(leading)
    shown = peak_slice(volume, answer.cams[number])
    saliency = map_on_slice(volume, answer.cams[number], shown)
    if saliency is None:
        return prediction, volume.stack.middle, False
    mapped = (*scores[:number], replace(leading, saliency=saliency), *scores[number + 1 :])
    return replace(prediction, scores=mapped), shown, True


def series_in(sources: Sequence[Source]) -> Iterator[Series]:
    """Yield the series of a study in the order of their UIDs."""
    by_uid = sorted(sources, key=lambda each: each.series_uid)
    for _, own in groupby(by_uid, key=lambda each: each.series_uid):
        yield Series(tuple(own))


def _slices(opened: Volume, shown: int, *, is_peak: bool) -> Slices:
    stack = opened.prepared.stack
    return Slices(
        instances=tuple(opened.instances[number] for number in stack.order),
        shown=shown,
        begins_at=side_of_first(stack),
        position_mm=stack.depth_mm(shown),
        spacing_mm=stack.spacing_mm,
        is_peak=is_peak,
    )
