"""Reading files with a model, one after the other, for the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from inference.errors import (
    FAILED,
    HANG,
    UNREADABLE,
    DecoderError,
    FilmError,
    HungError,
    InferenceError,
    UnreadablePixelsError,
)
from inference.file_names import as_text, on_one_line
from inference.folders import LINK, NO_FILE, Entry
from inference.isolation import DecodeProcess
from inference.models import Answer, Model, VolumeModel
from inference.types import Familiarity, Score

AnyModel = Model | VolumeModel

# What is no refusal of a film for what it is: there may be a film that a model can read.
FAILURES = (FAILED, HANG, UNREADABLE, LINK[0], NO_FILE[0])


@dataclass(frozen=True)
class Source:
    """One film, or the slices of one series.

    Attributes
    ----------
    series
        SeriesInstanceUID, None for a film.
    fault
        Why it is no series, or what is left out of a folder.
    """

    files: tuple[Path, ...]
    series: str | None = None
    fault: FilmError | None = None


@dataclass(frozen=True)
class Reading:
    """What a model said of a film or a series, or why it did not read it."""

    source: Source
    outcome: Answer | FilmError

    @property
    def is_failure(self) -> bool:
        """True if the model failed, it or the decoder came to no end, or nobody could look at what is there."""
        return isinstance(self.outcome, FilmError) and self.outcome.code in FAILURES

    def scores(self, model: AnyModel) -> list[Score]:
        """Return the calibrated score of each finding, none for what was refused."""
        if isinstance(self.outcome, FilmError):
            return []
        pairs = zip(model.card.findings, self.outcome.scores, strict=True)
        return [Score(finding, float(score)) for finding, score in pairs]

    def sentence(self, model: AnyModel) -> str:
        """Return the reading for people."""
        name = on_one_line(self.source.files[0])
        if isinstance(self.outcome, FilmError):
            return f"{name}: refused ({self.outcome.code}), {self.outcome.reason}"
        told = ", ".join(map(side_of, self.scores(model)))
        return f"{name}: {told}" + (f"; {place_of(self.outcome.familiarity)}" if self.outcome.familiarity else "")


def side_of(score: Score) -> str:
    """Return a score with the side of its threshold, for people."""
    finding = score.finding
    return f"{finding.name} {score.score:.3f} ({'above' if score.above else 'below'} {finding.threshold:.3f})"


def place_of(familiarity: Familiarity) -> str:
    """Return how far a film is from those that the model knows, and which of them is most like it, for people."""
    nearest = [f", most like {case.source} ({case.label})" for case in familiarity.nearest[:1]]
    return f"distance {familiarity.distance:.3f} of at most 1.000" + "".join(nearest)


def sources_of(model: AnyModel, entries: Sequence[Entry], process: DecodeProcess) -> list[Source]:
    """Return what a model reads in files: each of them, or each series of a model of volumes; also what is left out.

    Raises
    ------
    DecoderError
        The process that reads headers does not start.
    """
    if isinstance(model, Model):
        return [Source((entry.path,), fault=fault_of(entry)) for entry in entries]
    series: dict[str, list[Path]] = {}
    faulty = []
    for entry in entries:
        try:
            if left_out := fault_of(entry):
                raise left_out
            series.setdefault(process.series_of(entry.path), []).append(entry.path)
        except FilmError as fault:
            faulty.append(Source((entry.path,), fault=fault))
    return [*(Source(tuple(slices), uid) for uid, slices in series.items()), *faulty]


def fault_of(entry: Entry) -> FilmError | None:
    """Return why an entry of a folder is left out, None for a file."""
    return UnreadablePixelsError(*entry.fault) if entry.fault else None


def read_answers(model: AnyModel, sources: Sequence[Source], process: DecodeProcess) -> Iterator[Reading]:
    """Yield a reading of each film or series; one that cannot be read, or on which the network fails, stops nothing."""
    for source in sources:
        try:
            yield Reading(source, outcome_of(model, source, process))
        except FilmError as refusal:
            yield Reading(source, refusal)
        except DecoderError:  # no film could be read any more
            raise
        except HungError as error:
            yield Reading(source, FilmError(HANG, str(error)))
        except Exception as error:  # whatever a network raises of one film is no fault of the next
            said = str(error) if isinstance(error, InferenceError) else f"unexpected {type(error).__name__}"
            yield Reading(source, FilmError(FAILED, f"{model.card.name}: {said}"))


def outcome_of(model: AnyModel, source: Source, process: DecodeProcess) -> Answer | FilmError:
    """Return what a model says of a source; raises FilmError where its files cannot be read."""
    if source.fault:
        return source.fault
    if isinstance(model, Model):
        (outcome,) = model.predict([process.prepared(source.files[0], model.guard, model.preprocessing)])
    else:
        (outcome,) = model.predict([process.prepared_series(source.files, model.guard, model.preprocessing)])
    return outcome


def json_line(model: AnyModel, reading: Reading) -> str:
    """Return a reading as one line: `refused` is null or a code, `reason` the sentence to it.

    A score is `above` at its threshold too. The line of a model of volumes names the series and the number of its
    slices, `file` is the first of them. That of a model with an atlas says how like the film is to those it knows,
    and to which it is nearest.
    """
    scores = reading.scores(model)
    refusal = reading.outcome if isinstance(reading.outcome, FilmError) else None
    line: dict[str, object] = {
        "file": as_text(reading.source.files[0]),
        "scores": {each.finding.name: each.score for each in scores},
        "threshold": {finding.name: finding.threshold for finding in model.card.findings},
        "above": {each.finding.name: each.above for each in scores},
        "literature": list(model.card.references) if scores else [],
        "refused": refusal.code if refusal else None,
        "reason": refusal.reason if refusal else None,
        "model": model.card.name,
        "version": model.card.version,
    }
    if isinstance(model, VolumeModel):
        line |= {"series": reading.source.series, "slices": len(reading.source.files)}
    if model.atlas is not None:
        line |= likeness(reading)
    return json.dumps(line)


def likeness(reading: Reading) -> dict[str, object]:
    """Return `familiarity`, above 1.0 unlike all that the model knows, and the cases `nearest` to a film."""
    known = reading.outcome.familiarity if isinstance(reading.outcome, Answer) else None
    return {
        "familiarity": known.distance if known else None,
        "nearest": [asdict(case) for case in known.nearest] if known else [],
    }
