"""A graph that keeps tensors in another file is refused: the card has the digest of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from model_folders import FILM, finding, write_card
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inference.errors import InvalidCardError, ModelError
from inference.models import load_model
from inference.models.check import faults_of_folder
from inference.models.onnx_tensors import DATA_LOCATION, FIELDS, TENSOR, has_external_data

SAID = r"m\.onnx: keeps weights in another file, of which the card has no digest; the rule is one file"
WEIGHTS = numpy_helper.from_array(np.ones((3, 1), np.float32), "w")


def external() -> TensorProto:
    tensor = TensorProto(name="w", dims=[3, 1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="m.data")
    return tensor


def linear(*nodes: NodeProto, weights: TensorProto | None = WEIGHTS) -> ModelProto:
    """Return a network whose logit is a linear function of the mean of each channel."""
    described = helper.make_tensor_value_info
    chain = [
        helper.make_node("ReduceMean", ["films"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "w"], ["logits"]),
    ]
    graph = helper.make_graph(
        [*nodes, *chain], "ours", [described("films", TensorProto.FLOAT, ["n", 3, 64, 64])],
        [described("logits", TensorProto.FLOAT, ["n", 1])], [weights] if weights else [],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def branching(tensor: TensorProto) -> ModelProto:
    """Return a network whose weights come from a branch of an If."""
    given = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [3, 1])
    branch = helper.make_graph([helper.make_node("Constant", [], ["inner"], value=tensor)], "branch", [], [given])
    true = helper.make_node("Constant", [], ["true"], value=numpy_helper.from_array(np.array(True), "t"))
    return linear(true, helper.make_node("If", ["true"], ["w"], then_branch=branch, else_branch=branch), weights=None)


def of_function(tensor: TensorProto) -> ModelProto:
    """Return a network whose weights come from a function of its own."""
    inner = helper.make_node("Constant", [], ["w"], value=tensor)
    made = helper.make_function("ours", "Weights", [], ["w"], [inner], [helper.make_opsetid("", 17)])
    model = linear(helper.make_node("Weights", [], ["w"], domain="ours"), weights=None)
    model.opset_import.append(helper.make_opsetid("ours", 1))
    model.functions.append(made)
    return model


def folder_of(folder: Path, model: ModelProto) -> Path:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return write_card(folder, "m.onnx", "onnx", [finding()])


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "missing"])
def test_a_graph_with_weights_in_another_file_is_refused(tmp_path: Path, is_there: bool) -> None:
    onnx.save(linear(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    folder = write_card(tmp_path, "m.onnx", "onnx", [finding()])
    if not is_there:
        (folder / "m.data").unlink()

    with pytest.raises(InvalidCardError, match=SAID):
        load_model(folder)
    (fault,) = faults_of_folder(folder)
    assert "m.onnx: keeps weights in another file" in fault


def test_what_lies_below_the_working_directory_is_not_taken_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.data").write_bytes(np.ones((3, 1), np.float32).tobytes())
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidCardError, match=SAID):
        load_model(folder_of(tmp_path, linear(weights=external())))


@pytest.mark.parametrize("made", [branching, of_function, lambda tensor: linear(weights=tensor)])
def test_external_weights_are_found_wherever_a_graph_can_have_them(
    tmp_path: Path, made: Callable[[TensorProto], ModelProto]
) -> None:
    assert 1 == load_model(folder_of(tmp_path, made(WEIGHTS))).network.outputs
    with pytest.raises(InvalidCardError, match=SAID):
        load_model(folder_of(tmp_path, made(external())))


def test_a_sparse_tensor_in_another_file_is_found() -> None:
    model = linear()
    model.graph.sparse_initializer.add(indices=external())

    assert has_external_data(model.SerializeToString())


def test_a_location_beyond_32_bits_counts_as_the_runtime_counts_it() -> None:
    # 1 + 2**32, of which protobuf takes the low half.
    tensor = bytes([DATA_LOCATION << 3, 0x81, 0x80, 0x80, 0x80, 0x10])
    graph = bytes([5 << 3 | 2, len(tensor)]) + tensor

    assert has_external_data(bytes([7 << 3 | 2, len(graph)]) + graph)


@pytest.mark.parametrize(
    "content", [b"\x3a\x7f", b"\x3a\xff", b"\x80" * 11, b"\x00\x00", b"\x3b\x3c", b"PK\x03\x04rest", b"\x39\x00"]
)
def test_what_is_no_message_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)

    with pytest.raises(ModelError, match=r"m\.onnx: no ONNX: damaged, or another format"):
        load_model(write_card(tmp_path, "m.onnx", "onnx", [finding()], FILM))


def test_the_fields_that_are_walked_are_those_of_onnx_that_lead_to_a_tensor() -> None:
    messages = [getattr(onnx, name).DESCRIPTOR for name in FIELDS]

    leading = {
        each.name: {field.number: field.message_type.name for field in each.fields if leads(field.message_type, set())}
        for each in messages
    }

    assert leading == FIELDS
    assert DATA_LOCATION == TensorProto.DESCRIPTOR.fields_by_name["data_location"].number


def leads(message: Any, seen: set[str]) -> bool:
    """True for a message from which a tensor can be reached."""
    if message is None or message.name in seen:
        return False
    within = seen | {message.name}
    return message.name == TENSOR or any(leads(field.message_type, within) for field in message.fields)
