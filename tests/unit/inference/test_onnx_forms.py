"""Graphs from elsewhere have other types of numbers, and one score a film without an axis for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_folders import EFFUSION, finding, write_card
from onnx import TensorProto, helper, numpy_helper, save

from inference.errors import InvalidCardError
from inference.models import load_model
from inference.models.check import faults_of_folder

FILMS = np.random.default_rng(5).normal(size=(3, 3, 64, 64)).astype(np.float32)
WEIGHTS = np.array([[1.0, 2.0], [0.5, -1.0], [-2.0, 0.25]])
MEANS = FILMS.mean((2, 3), dtype=np.float64)


def folder_of(folder: Path, number: int = TensorProto.FLOAT, outputs: int = 2, axes: tuple[int, ...] = ()) -> Path:
    """Write a graph that is linear in the mean of each channel, without these axes of its output, and its card."""
    weights = WEIGHTS[:, :outputs].astype(helper.tensor_dtype_to_np_dtype(number))
    nodes = [
        helper.make_node("ReduceMean", ["films"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "w"], ["table" if axes else "logits"]),
        *([helper.make_node("Squeeze", ["table", "axes"], ["logits"])] if axes else []),
    ]
    described = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "ours", [described("films", number, ["n", 3, 64, 64])],
        [described("logits", number, ["n"] if axes else ["n", outputs])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array(axes, np.int64), "axes")],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "m.onnx")
    return write_card(folder, "m.onnx", "onnx", [finding(), finding("effusion", EFFUSION)][:outputs])


@pytest.mark.parametrize(
    ("number", "tolerance"), [(TensorProto.FLOAT16, 2e-3), (TensorProto.FLOAT, 1e-6), (TensorProto.DOUBLE, 1e-6)]
)
def test_a_graph_computes_in_the_types_that_its_file_names(tmp_path: Path, number: int, tolerance: float) -> None:
    folder = folder_of(tmp_path, number)

    given = load_model(folder).network.run(FILMS).logits

    assert [] == list(faults_of_folder(folder))
    assert np.float32 == given.dtype
    assert pytest.approx(MEANS @ WEIGHTS, abs=tolerance) == given


def test_a_graph_of_other_numbers_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, TensorProto.INT32)

    with pytest.raises(InvalidCardError, match=r"m\.onnx: films: tensor\(int32\); the rule is float32, float16 or fl"):
        load_model(folder)


def test_one_score_a_film_needs_no_axis_of_its_own(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, outputs=1, axes=(1,))

    given = load_model(folder).network.run(FILMS).logits

    assert [] == list(faults_of_folder(folder))
    assert (3, 1) == given.shape
    assert pytest.approx(MEANS @ WEIGHTS[:, :1], abs=1e-6) == given
