"""The middle of the way of a study: which film is read, what is said of it, what is made of that."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from dicom_node.films import Answered, Films, Source
from dicom_node.settings import Settings
from inference.types import Prediction
from structured_reports.build import build_results
from structured_reports.errors import ReportError
from structured_reports.fhir.options import FhirOptions
from structured_reports.port import Equipment, Refusal, ReportRequest, ResultObject

Spans = tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class StudyResult:
    """What a study generation came to.

    Attributes
    ----------
    source
        The film that was read; for a refused study its first instance.
    spans
        Stage, start (seconds since the epoch), duration (seconds).
    """

    outcome: Prediction | Refusal
    source: Source
    objects: tuple[ResultObject, ...]
    spans: Spans


@dataclass(frozen=True)
class Pipeline:
    """Reads one study generation: decode, predict, choose, report. No database, no network."""

    films: Films
    equipment: Equipment
    settings: Settings

    def read(self, sources: Sequence[Source], *, made_at: datetime, generation: int) -> StudyResult:
        """Return the result of a study.

        Parameters
        ----------
        sources
            Its instances, oldest first.
        made_at
            Time of the job, with time zone; it is the time of every object.
        """
        best: tuple[Source, Answered] | None = None
        refusals: list[Refusal] = []
        for source in sources:
            answer = self.films.answer(source)
            if isinstance(answer, Refusal):
                refusals.append(answer)
            elif best is None or answer.highest > best[1].highest:
                best = (source, answer)
            # A study may have hundreds of films: only the one that is reported is held on to.
            self.films.forget(source.sha256)
        if best is None:
            return self.refuse(sources[0], _common_reason(refusals), made_at=made_at, generation=generation)
        return self._report(*best, made_at, generation)

    def refuse(self, source: Source, refusal: Refusal, *, made_at: datetime, generation: int) -> StudyResult:
        """Return the result of a study that no model read."""
        if not self.settings.report.not_performed:
            return StudyResult(refusal, source, (), ())
        return self._build(source, None, refusal, (), made_at, generation)

    def _report(self, source: Source, answered: Answered, made_at: datetime, generation: int) -> StudyResult:
        prediction = self.films.model.prediction(answered.film.prepared, answered.answer)
        return self._build(source, answered, prediction, answered.spans, made_at, generation)

    def _build(
        self,
        source: Source,
        answered: Answered | None,
        outcome: Prediction | Refusal,
        spans: Spans,
        made_at: datetime,
        generation: int,
    ) -> StudyResult:
        begun = time.time()
        request = ReportRequest(
            source=header_of(source.path),
            display=answered.film.display if answered else None,
            outcome=outcome,
            equipment=self.equipment,
            made_at=made_at,
            generation=generation,
            notice=self.settings.report.notice,
            heatmap=self.settings.model.heatmap,
        )
        fhir = self.settings.report.fhir
        try:
            objects = build_results(request, fhir=FhirOptions(fhir.patient_system, fhir.create_patient))
        except ReportError as error:
            # Fail closed: an object that might name somebody else goes nowhere. `status` shows the study.
            return StudyResult(Refusal("header", f"no result can be made: {error}"), source, (), spans)
        return StudyResult(outcome, source, objects, (*spans, ("build", begun, time.time() - begun)))


def header_of(path: Path) -> Dataset:
    """Return the header of an instance as it arrived, without pixels."""
    return pydicom.dcmread(path, stop_before_pixels=True)


def _common_reason(refusals: Sequence[Refusal]) -> Refusal:
    """Return one refusal for a study of which every instance was refused."""
    counts = Counter(refusals)
    if len(counts) == 1:
        return refusals[0]
    ((most, _), *_) = counts.most_common(1)
    reasons = "; ".join(f"{number} × {refusal.reason}" for refusal, number in counts.most_common(3))
    return Refusal(most.code, f"none of {len(refusals)} instances is suitable: {reasons}")
