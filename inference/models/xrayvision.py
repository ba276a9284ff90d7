"""DenseNet of torchxrayvision by its file of weights; the package itself is not needed.

It is torchvision's densenet121 for one channel: same names, same order of operations. What differs is around it: levels
of -1024 to 1024, 18 outputs that are logits, and `op_threshs`, the score of each that its authors map to one half.

References
----------
* Cohen et al., TorchXRayVision: A library of chest X-ray datasets and models, MIDL 2022
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from inference.card import CardFile
from inference.errors import InvalidCardError
from inference.models.port import Runtime
from inference.models.state_dict import program_network, weights_of
from inference.models.torch_program import ProgramNetwork

ARCHITECTURE = "densenet121"
POINTS = "op_threshs"
RANGE, CHANNELS = (-1024.0, 1024.0), 1
POINT_TOLERANCE = 1e-4


def network(path: Path, card: CardFile, runtime: Runtime) -> ProgramNetwork:
    """Return the network in a file; raises InvalidCardError where the card would feed or read it otherwise."""
    weights = weights_of(path)
    points = weights.pop(POINTS, None)
    faults = [*faults_of_input(card), *faults_of_points(card, points)]
    if faults:
        raise InvalidCardError("; ".join(faults))
    return program_network(path, weights, ARCHITECTURE, card, runtime)


def faults_of_input(card: CardFile) -> Iterator[str]:
    """Yield how the card prepares films otherwise than torchxrayvision does."""
    if card.input.range != RANGE:
        yield f"input.range: {card.input.range}; torchxrayvision takes {list(RANGE)}"
    if card.input.channels != CHANNELS:
        yield f"input.channels: {card.input.channels}; torchxrayvision takes {CHANNELS}"
    if card.output.values != "logits":
        yield f"output.values: {card.output.values}; the file gives logits"


def faults_of_points(card: CardFile, points: Tensor | None) -> Iterator[str]:
    """Yield which operating points of the card are not those of the file."""
    own = [] if points is None else [float(each) for each in points.flatten()]
    for finding, index in zip(card.findings, card.indices, strict=True):
        expected = own[index] if index < len(own) else math.nan
        if math.isnan(expected):
            continue
        if finding.operating_point is None or not math.isclose(
            finding.operating_point, expected, rel_tol=POINT_TOLERANCE
        ):
            yield f"{finding.name}.operating_point: {finding.operating_point}; {POINTS} of the file is {expected:.7g}"
