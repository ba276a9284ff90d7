"""What the graph of an exported program says of its maps: where its features are, and whether its head is linear.

References
----------
* Zhou et al., CVPR 2016 (class activation map); Selvaraju et al., ICCV 2017 (Grad-CAM)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.fx.graph import CodeGen

aten = torch.ops.aten

SQUASHING = {aten.sigmoid.default, aten.softmax.int, aten._softmax.default, aten.log_softmax.int}
# What stands between a mean and a linear head without changing a value. Dropout is checked apart.
PASSING = {
    aten.flatten.using_ints, aten.view.default, aten.reshape.default, aten._unsafe_view.default,
    aten.squeeze.default, aten.squeeze.dim, aten.squeeze.dims, aten.dropout.default, aten.dropout_.default,
    aten.feature_dropout.default, aten.clone.default, aten.contiguous.default, aten.alias.default,
}  # fmt: skip
POOLING = {aten.adaptive_avg_pool2d.default, aten.adaptive_avg_pool3d.default}
# Place of the argument that says that a program is in training.
TRAINING = {
    aten.dropout.default: 2, aten.dropout_.default: 2, aten.feature_dropout.default: 2, aten.batch_norm.default: 5,
}  # fmt: skip


@dataclass(frozen=True)
class Tapped:
    """A program that also gives its features and its logits before they are squashed.

    Attributes
    ----------
    module
        Of films: a tuple of the program's own outputs, then features, then logits.
    own
        Number of the program's own outputs.
    head
        Name of the weight of a head that is linear after the mean of the features; None where it is not.
    """

    module: GraphModule
    own: int
    head: str | None


def tapped(program: ExportedProgram) -> Tapped | None:
    """Return a program with its features beside its outputs; None where nothing in it is a map."""
    module = program.module()
    assert isinstance(module, GraphModule)  # noqa: S101 - narrows the type
    outputs = output_nodes(module)
    logits = passed(outputs[0], SQUASHING)
    linear = linear_head(logits)
    features = linear[0] if linear else last_map(logits)
    if features is None:
        return None
    graph = module.graph
    (out,) = [node for node in graph.nodes if node.op == "output"]
    out.args = ((*outputs, features, logits),)
    # As plain arguments and results: the code of the export packs them as the program had them.
    graph.set_codegen(CodeGen())
    graph.lint()
    module.recompile()
    return Tapped(module, len(outputs), str(linear[1].target) if linear else None)


def batch_of(taken: torch.Tensor) -> tuple[int, int]:
    """Return the least and the most films of a batch that a program takes."""
    length = taken.shape[0]
    if isinstance(length, int):
        return length, length
    bounds = length.node.shape_env.bound_sympy(length.node.expr)
    return max(1, int(bounds.lower)), int(min(bounds.upper, sys.maxsize))


def output_nodes(module: GraphModule) -> list[Node]:
    """Return what a program gives, flat, in order."""
    (out,) = [node for node in module.graph.nodes if node.op == "output"]
    return [each for each in torch.utils._pytree.tree_leaves(out.args) if isinstance(each, Node)]


def is_training(program: ExportedProgram) -> bool:
    """True if the program drops features at random, or learns statistics from what it reads."""
    return any(
        node.target in TRAINING and len(node.args) > TRAINING[node.target] and node.args[TRAINING[node.target]] is True
        for node in program.graph.nodes
    )


def linear_head(logits: Node) -> tuple[Node, Node] | None:
    """Return the features and the weight of a head that is linear after their mean."""
    if logits.target is not aten.linear.default:
        return None
    pooled = passed(source_of(logits), PASSING)
    features, weight = source_of(pooled), logits.args[1]
    is_weight = isinstance(weight, Node) and weight.op == "get_attr"
    return (features, weight) if is_weight and isinstance(weight, Node) and is_mean(pooled, features) else None


def is_mean(pooled: Node, features: Node) -> bool:
    """True if a node is the mean of features over all places."""
    dimensions = len(shape_of(features))
    if dimensions not in (4, 5):
        return False
    if pooled.target in POOLING:
        return math.prod(shape_of(pooled)[2:]) == 1
    if pooled.target is not aten.mean.dim or not isinstance(pooled.args[1], (list, tuple)):
        return False
    return {int(str(each)) % dimensions for each in pooled.args[1]} == set(range(2, dimensions))


def last_map(logits: Node) -> Node | None:
    """Return the last node before the logits that has a value for more than one place."""
    behind, waiting = set(), [logits]
    while waiting:
        node = waiting.pop()
        if node not in behind:
            behind.add(node)
            waiting.extend(node.all_input_nodes)
    maps = [
        node
        for node in logits.graph.nodes
        if node in behind and node.op == "call_function" and is_map(shape_of(node), node)
    ]
    return maps[-1] if maps else None


def is_map(shape: tuple[int, ...], node: Node) -> bool:
    """True for (films, channels, rows, columns), or with slices, of more than one place."""
    return len(shape) in (4, 5) and math.prod(shape[2:]) > 1 and node.meta["val"].is_floating_point()


def passed(node: Node, through: Collection[object]) -> Node:
    """Return the first node behind those that are passed through."""
    while node.target in through:
        node = source_of(node)
    return node


def source_of(node: Node) -> Node:
    """Return what a node works on; itself where it works on nothing."""
    first = node.args[0] if node.args else node
    return first if isinstance(first, Node) else node


def shape_of(node: Node) -> tuple[int, ...]:
    """Return the shape of a node for one film; a length that is open counts as two."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return ()
    return tuple(each if isinstance(each, int) else 2 for each in value.shape)
