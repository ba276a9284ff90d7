"""An INT8 form is a network like the other, and ships only where it changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from inference.film import read_film
from inference.models import Model
from inference.models.onnx import OnnxNetwork
from inference.serving.precision import Change
from inference.training.quantize import Quantized, write_int8


def test_the_int8_form_of_the_shipped_network_is_smaller_and_gives_the_same_outputs(
    model: Model, clinical_film: Path, tmp_path: Path
) -> None:
    film = model.prepare(read_film(clinical_film)).tensor
    films = [film, film[:, ::-1].copy(), film * np.float32(0.5)]
    source = model.network.path

    write_int8(source, films, tmp_path / "int8.onnx")

    exact, fast = (OnnxNetwork(path).run(film[np.newaxis]) for path in (source, tmp_path / "int8.onnx"))
    assert (
        tmp_path / "int8.onnx"
    ).stat().st_size < 0.6 * source.stat().st_size  # film and mirror image have a copy each
    assert exact.cams.shape == fast.cams.shape
    assert pytest.approx(exact.logits, abs=1.0) == fast.logits


@pytest.mark.parametrize(("decisions", "speed", "ships"), [(0, 1.5, True), (1, 4.0, False), (0, 0.9, False)], ids=str)
def test_a_form_ships_only_if_it_is_faster_and_decides_alike(decisions: int, speed: float, ships: bool) -> None:
    assert ships == Quantized(Change(decisions, 0.01, 100), speed).may_ship
