"""An INT8 form of an ONNX network, and what it changes on validation films.

References
----------
* https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html: static quantization, QDQ form
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference.errors import FilmError
from inference.film_folder import FilmFolder
from inference.models.model import Model
from inference.models.onnx import INPUT, OnnxNetwork
from inference.serving.precision import Change, change

Floats = NDArray[np.float32]

CALIBRATION_FILMS, RUNS = 256, 40


@dataclass(frozen=True)
class Quantized:
    """An INT8 form beside the float32 form that it was made from.

    Attributes
    ----------
    change
        Of the scores of validation films.
    speed
        Time of one film in float32 by that in INT8, medians of runs that took turns.
    """

    change: Change
    speed: float

    @property
    def may_ship(self) -> bool:
        """True if it decides as the float32 form does, and is faster."""
        return not self.change.decisions and self.speed > 1.0

    def sentence(self) -> str:
        """Return the figures for people."""
        verdict = "may ship" if self.may_ship else "must not ship"
        return (
            f"{self.change.decisions} of {self.change.of} decisions change, a score by {self.change.largest:.3f} at "
            f"most; {self.speed:.2f} times as fast: {verdict}"
        )


class Films(CalibrationDataReader):  # type: ignore[misc]  # the runtime has no types
    """Prepared films, one at a time, as the runtime's calibration reads them."""

    def __init__(self, films: Sequence[Floats]) -> None:
        self._films = iter(films)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the inputs of one run, None at the end."""
        film = next(self._films, None)
        return None if film is None else {INPUT: film[np.newaxis]}


def quantize(model: Model, data: Path, seed: int, path: Path, most_films: int | None = None) -> Quantized:
    """Write the INT8 form of a model and return what it changes.

    Calibrated on some validation films, compared on the others.

    Parameters
    ----------
    seed
        Of the model's recipe: it decides which films are validation.
    """
    films = list(validation_films(model, data, seed, most_films))
    calibration, compared = films[:CALIBRATION_FILMS], films[CALIBRATION_FILMS:]
    if not compared:
        raise ValueError(f"films: {len(films)}; more than {CALIBRATION_FILMS} are needed to calibrate and to compare")
    assert isinstance(model.network, OnnxNetwork)  # noqa: S101 - narrows the type
    write_int8(model.network.path, calibration, path)
    fast = replace(model.network, path=path)
    thresholds = [finding.threshold for finding in model.card.findings]
    exact_scores, scores = (scores_of(replace(model, network=each), compared) for each in (model.network, fast))
    return Quantized(change(exact_scores, scores, thresholds), speed_of(model.network, fast, compared[0]))


def validation_films(model: Model, data: Path, seed: int, most: int | None) -> Iterator[Floats]:
    """Yield validation films on the grid of the model, in an order of the seed; those that it refuses are left out."""
    folder = FilmFolder(data)
    films = [film for film in folder.films(seed) if film.split == "validation" and film.is_certain]
    order = np.random.default_rng(seed).permutation(len(films))[:most]
    for radiograph in folder.radiographs([films[index] for index in order]):
        try:
            yield model.prepare(radiograph).tensor
        except FilmError:
            continue


def write_int8(source: Path, films: Sequence[Floats], path: Path) -> None:
    """Write a graph with weights and activations in 8 bits, ranges from films."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(str(source), str(plain), skip_symbolic_shape=True)
        quantize_static(
            str(plain), str(path), Films(films), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip


def scores_of(model: Model, films: Sequence[Floats]) -> Floats:
    """Return the scores of films, (films, findings), whatever the atlas would say of them."""
    return np.stack([model.scoring.scores(model.network.run(film[np.newaxis]).logits[0]) for film in films])


def speed_of(exact: OnnxNetwork, fast: OnnxNetwork, film: Floats) -> float:
    """Return the time of one film in one form by that in another; they take turns."""
    times: list[tuple[float, float]] = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        exact.run(film[np.newaxis])
        middle = time.perf_counter()
        fast.run(film[np.newaxis])
        times.append((middle - begun, time.perf_counter() - middle))
    return statistics.median(one for one, _ in times[2:]) / statistics.median(other for _, other in times[2:])
