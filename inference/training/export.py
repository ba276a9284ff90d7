"""A trained classifier as one ONNX graph that gives logits, class activation maps and embeddings."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from inference.models.onnx import INPUT, OUTPUTS
from inference.training.network import FilmClassifier


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph without where each of its parts was written: paths of the machine that exported it."""
    parts = (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer)
    for each in (*parts, *model.graph.input, *model.graph.output):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    return model


def export(classifier: FilmClassifier, side: int, path: Path) -> None:
    """Write the classifier as ONNX for any number of films of one size."""
    films = torch.zeros(2, 1, side, side)
    program = torch.onnx.export(
        classifier.eval().to(memory_format=torch.contiguous_format), (films,), None,
        input_names=[INPUT], output_names=list(OUTPUTS), dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("films", min=1)},),
    )  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    program.save(path, external_data=False)
    onnx.save(without_traces(onnx.load(path)), path)
    onnx.checker.check_model(str(path), full_check=True)
