"""The precision of a model on a device: the fastest in which it decides about films as in float32."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.card import CardFile, read_card
from inference.errors import FilmError, InvalidCardError, ModelError
from inference.isolation import DecodeProcess
from inference.models.folder import opened
from inference.models.model import Model
from inference.models.port import Runtime
from inference.serving.batching import MOST
from inference.serving.precision import Change, change, fastest_equal
from inference.serving.recording import require_section_writable, write_section

Floats = NDArray[np.float32]

EXACT, FASTER = "float32", ("float16", "bfloat16")
SECTION = "device"
# Fewer films show a change of one decision in a hundred by luck only.
LEAST_FILMS = 100
TRIALS = 20
# What two measurements of one form differ by is no gain.
LEAST_GAIN = 0.05


@dataclass(frozen=True)
class Form:
    """A model in one precision, as it was measured.

    Attributes
    ----------
    scores
        Of every film, (films, findings).
    seconds
        Median time of a batch.
    """

    precision: str
    scores: Floats
    seconds: float


@dataclass(frozen=True)
class Chosen:
    """What was measured, and which precision it speaks for.

    Attributes
    ----------
    changes
        By precision: what it does to the scores; none for one that does not run.
    speeds
        By precision: how many times as fast as float32.
    """

    precision: str
    films: int
    changes: Mapping[str, Change]
    speeds: Mapping[str, float]

    def sentences(self) -> Iterator[str]:
        """Yield the figures for people, and the choice."""
        for name in FASTER:
            if name not in self.changes:
                yield f"{name}: the model does not run in it, or gives another answer to its golden film"
                continue
            told, speed = self.changes[name], self.speeds[name]
            moved = f"{told.decisions} of {told.of} decisions change, a score by {told.largest:.4f} at most"
            yield f"{name}: {moved}; {speed:.2f} times as fast as {EXACT}"
        yield f"{self.precision}: chosen by {self.films} films"


def choose_precision(folder: Path, files: Sequence[Path], device: str) -> Chosen:
    """Measure a model in each precision, and write the fastest that changes no decision into its card.

    Parameters
    ----------
    files
        Films as the model will read: validation films, never those of a test. Those that it refuses are left out.

    Raises
    ------
    ModelError
        The model cannot be loaded, computes in the types of its file, or too few different films can be read.
    OutputError
        Its card cannot be written.
    """
    card, runtime = read_card(folder), Runtime(device)
    require_section_writable(folder, SECTION)  # before minutes are measured for nothing
    exact_model = film_model(folder, card, runtime, EXACT)
    films = distinct(tensors(exact_model, files))
    if len(films) < LEAST_FILMS:
        rule = f"a precision is chosen by {LEAST_FILMS} that differ"
        raise ModelError(f"{folder}: {len(films)} films that the model reads; {rule}")
    exact = measured(exact_model, EXACT, films)
    forms = [exact, *(form for name in FASTER if (form := in_precision(folder, card, runtime, name, films)))]
    thresholds = [finding.threshold for finding in exact_model.card.findings]
    gaining = [form for form in forms[1:] if form.seconds < (1.0 - LEAST_GAIN) * exact.seconds]
    best = fastest_equal(
        [*sorted(gaining, key=lambda form: form.seconds), exact], lambda form: form.scores, thresholds
    )  # fmt: skip
    write_precision(folder, card, runtime.kind, best.precision)
    changes = {form.precision: change(exact.scores, form.scores, thresholds) for form in forms[1:]}
    speeds = {form.precision: exact.seconds / form.seconds for form in forms[1:]}
    return Chosen(best.precision, len(films), changes, speeds)


def film_model(folder: Path, card: CardFile, runtime: Runtime, precision: str) -> Model:
    """Return a model of films in a precision, whatever its card names."""
    named = card.device.model_copy(update={"precision": {**card.device.precision, runtime.kind: precision}})
    model = opened(folder, card.model_copy(update={"device": named}), runtime)
    if not isinstance(model, Model):
        raise InvalidCardError(f"{folder}: input.kind: {card.input.kind}; a precision is chosen by films")
    return model


def in_precision(folder: Path, card: CardFile, runtime: Runtime, name: str, films: Sequence[Floats]) -> Form | None:
    """Return a model in a precision as it was measured; None where it does not run or fails its golden film."""
    try:
        model = film_model(folder, card, runtime, name)
        if model.golden_fault():
            return None
        return measured(model, name, films)
    except ModelError:
        return None


def tensors(model: Model, files: Sequence[Path]) -> Iterator[Floats]:
    """Yield films on the grid of a model; those that it refuses are left out."""
    with DecodeProcess.running() as process:
        for file in files:
            try:
                yield process.prepared(file, model.guard, model.preprocessing).tensor
            except FilmError:
                continue


def distinct(films: Iterable[Floats]) -> list[Floats]:
    """Return films without those that an earlier one equals: a copy shows no other decision."""
    return list({hashlib.sha256(film.tobytes()).digest(): film for film in films}.values())


def measured(model: Model, precision: str, films: Sequence[Floats]) -> Form:
    """Return the scores and the speed of a model."""
    batches = [np.stack(films[start : start + MOST]) for start in range(0, len(films), MOST)]
    logits = np.concatenate([model.network.run(batch).logits for batch in batches])
    times = []
    for _ in range(TRIALS):
        begun = time.perf_counter()
        model.network.run(batches[0])
        times.append(time.perf_counter() - begun)
    scores = np.stack([model.scoring.scores(each) for each in logits])
    return Form(precision, scores, statistics.median(times))


def write_precision(folder: Path, card: CardFile, kind: str, precision: str) -> None:
    """Name the precision on a kind of device in the card."""
    device = card.device
    lines = [f"kinds = {json.dumps(device.kinds)}"] if device.kinds else []
    lines += [f"memory_mb = {device.memory_mb}"] if device.memory_mb else []
    named = {**{str(key): str(value) for key, value in device.precision.items()}, kind: precision}
    pairs = ", ".join(f'{key} = "{value}"' for key, value in sorted(named.items()))
    write_section(folder, SECTION, [*lines, f"precision = {{ {pairs} }}"])
