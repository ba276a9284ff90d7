"""Reading files with a model, one after the other, for the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import FilmError
from inference.isolation import DecodeProcess
from inference.models import Model, PreparedFilm


@dataclass(frozen=True)
class Reading:
    """What a model said of a file, or why it did not read it.

    Attributes
    ----------
    scores
        Calibrated score by finding, empty for a refused file.
    """

    file: Path
    scores: dict[str, float]
    refusal: FilmError | None = None

    def sentence(self, model: Model) -> str:
        """Return the reading for people."""
        if self.refusal:
            return f"{self.file}: refused ({self.refusal.code}), {self.refusal.reason}"
        parts = [f"{each.name} {self.scores[each.name]:.3f} of {each.threshold:.3f}" for each in model.card.findings]
        return f"{self.file}: " + ", ".join(parts)


def listed(paths: Sequence[Path]) -> list[Path]:
    """Return files, those of folders in order of their names."""
    return [
        file
        for path in paths
        for file in (sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path])
    ]


def read_answers(model: Model, files: Sequence[Path]) -> Iterator[Reading]:
    """Yield a reading for each file; a film that cannot be read stops nothing."""
    with DecodeProcess.running() as process:
        for file in files:
            try:
                prepared = process.prepared(file, model.guard, model.preprocessing)
                yield Reading(file, scores_of(model, prepared))
            except FilmError as refusal:
                yield Reading(file, {}, refusal)


def scores_of(model: Model, film: PreparedFilm) -> dict[str, float]:
    """Return the score of each finding by name."""
    (answer,) = model.predict([film])
    if isinstance(answer, FilmError):
        raise answer
    names = (finding.name for finding in model.card.findings)
    return {name: float(score) for name, score in zip(names, answer.scores, strict=True)}


def json_line(model: Model, reading: Reading) -> str:
    """Return a reading as one line: `refused` is null or a code, `reason` the sentence to it."""
    return json.dumps(
        {
            "file": str(reading.file),
            "scores": reading.scores,
            "threshold": {finding.name: finding.threshold for finding in model.card.findings},
            "refused": reading.refusal.code if reading.refusal else None,
            "reason": reading.refusal.reason if reading.refusal else None,
            "model": model.card.name,
            "version": model.card.version,
        }
    )
