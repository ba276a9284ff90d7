"""What a network gives for a black image, held against its card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.card import CardFile
from inference.card_rules import faults_of_class_count
from inference.errors import ModelError
from inference.models.known_film import faults_of_golden
from inference.models.model import Classifier
from inference.models.port import Grid, Outputs
from inference.preprocessing import scaled_channels
from inference.serving.golden import Golden

# Channels and lengths of one image.
Lengths = tuple[int, ...]


def contradictions(model: Classifier[Any], card: CardFile) -> Iterator[str]:
    """Yield what the card says otherwise than its network does."""
    declared = faults_declared(model, card)
    yield from declared
    if model.golden is not None:
        yield from faults_of_golden(model.golden, card)
    if not declared:
        yield from faults_of_outputs(model, card, tried(model, card, card.input.grid))


def faults_of_model(model: Classifier[Any], card: CardFile) -> Iterator[str]:
    """Yield the contradictions of a model, and what makes it useless besides.

    A network that says which image it takes is tried on that one, whatever the card says: a wrong side hides no map
    that is missing. Nothing more is told of one that takes volumes where the card has films, or fails on a black image.
    """
    declared = faults_declared(model, card)
    yield from declared
    grid = grid_tried(card, model.network.grid)
    if grid is None:
        return
    try:
        given = tried(model, card, grid)
    except ModelError as error:
        yield str(error)
        return
    faults = [fault for fault in faults_of_outputs(model, card, given) if fault not in declared]
    yield from faults
    is_scored = not list(faults_of_logits(card, given))
    images = {"a black image": black(card, grid), "one from black to white": ramp(card, grid)}
    of_values = {name: list(faults_of_values(model, films, is_scored=is_scored)) for name, films in images.items()}
    yield from (f"the network, on {name}: {fault}" for name, found in of_values.items() for fault in found)
    if is_scored and not any(of_values.values()):
        doubt = model.scoring.doubt(np.concatenate([model.network.run(films).logits for films in images.values()]))
        yield from (f"output.values: {each}" for each in (doubt,) if each)
    if is_scored and model.golden is not None and model.golden.tensor.shape == grid:
        yield from faults_of_answer(model, model.golden, card)


def faults_of_values(model: Classifier[Any], films: NDArray[np.float32], *, is_scored: bool) -> Iterator[str]:
    """Yield why no score can be made of what the network says of a film."""
    try:
        given = model.network.run(films).of(0)
    except ModelError as error:
        yield str(error)
        return
    if not given.is_finite:
        yield "not every value is finite, and a score is made of finite ones"
    elif is_scored and (fault := model.scoring.fault(given.logits)):
        yield f"output.values: {fault}"


def faults_of_answer(model: Classifier[Any], golden: Golden, card: CardFile) -> Iterator[str]:
    """Yield how the model answers its golden film otherwise than the file says; maps that are none are told already."""
    try:
        outputs = model.outputs([golden.film])
    except ModelError as error:
        yield f"golden film: {error}"
        return
    if card.explanation is not None and list(faults_of_maps(card, outputs)):
        outputs, golden = outputs._replace(cams=None), replace(golden, peaks=golden.peaks[:0])
    if model.atlas is not None and list(faults_of_embedding(outputs, len(model.atlas.mean))):
        outputs = outputs._replace(embedding=None)
    (answer,) = model.answers(outputs, 1)
    if mismatch := golden.mismatch(answer):
        yield mismatch


def faults_declared(model: Classifier[Any], card: CardFile) -> list[str]:
    """Return what the network says of itself otherwise than the card does."""
    return [*faults_of_grid(card, model.network.grid), *faults_of_count(card, model.network.outputs)]


def tried(model: Classifier[Any], card: CardFile, grid: Lengths) -> Outputs:
    """Return what the network says of a black image; raises ModelError where it does not take one."""
    try:
        return model.network.run(black(card, grid))
    except ModelError as error:
        raise ModelError(f"input: {card.input.kind} of {grid}, and the network fails on it: {error}") from error


def grid_tried(card: CardFile, taken: Grid | None) -> Lengths | None:
    """Return the image that a network is tried on: the one that it takes, where it says; None for films as volumes."""
    own = card.input.grid
    if taken is not None and len(taken) != len(own):
        return None
    return own if taken is None else tuple(each or length for each, length in zip(taken, own, strict=True))


def black(card: CardFile, grid: Lengths) -> NDArray[np.float32]:
    """Return a batch of one black image as the network takes it."""
    return film_of(card, grid[0], np.zeros(grid[1:], np.float32))


def ramp(card: CardFile, grid: Lengths) -> NDArray[np.float32]:
    """Return a batch of one image whose columns go from black to white, as the network takes it."""
    return film_of(card, grid[0], np.broadcast_to(np.linspace(0.0, 1.0, grid[-1], dtype=np.float32), grid[1:]))


def film_of(card: CardFile, channels: int, levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a batch of one image of levels in [0, 1] as the network takes it."""
    # For channels that the card does not have it says no scaling.
    scaling = card.input.scaling() if channels == card.input.channels else (0.0, 1.0)
    return np.ascontiguousarray(scaled_channels(levels, channels, *scaling)[np.newaxis], np.float32)


def faults_of_grid(card: CardFile, taken: Grid | None) -> Iterator[str]:
    """Yield how the image of the card differs from the one that the network takes."""
    given = card.input.grid
    if taken is None:
        return
    if len(taken) != len(given):
        yield f"input.kind: {card.input.kind}; the network takes {len(taken)} dimensions, that has {len(given)}"
        return
    if taken[0] not in (None, given[0]):
        yield f"input.channels: {given[0]}, the network takes {taken[0]}"
    lengths = [length for length, own in zip(taken[1:], given[1:], strict=True) if length not in (None, own)]
    if lengths:
        key, own = ("side", given[1]) if len(given) == 3 else ("size", list(given[1:]))
        yield f"input.{key}: {own}, the network takes {sides(taken[1:])}"


def sides(lengths: Sequence[int | None]) -> str:
    """Return lengths for people: of a square film its side."""
    shown = ["any" if length is None else str(length) for length in lengths]
    return shown[0] if len(shown) == 2 and shown[0] == shown[1] else " × ".join(shown)


def faults_of_count(card: CardFile, given: int | None) -> Iterator[str]:
    """Yield how the outputs of the card differ from those of the network."""
    if given is None:
        return
    if card.output.count is None and card.outputs not in (None, given):
        yield f"findings: the card names {card.outputs}, the network gives {given}"
    elif card.outputs not in (None, given):
        yield f"output.count: {card.outputs}, the network gives {given}"
    elif max(card.indices) >= given:
        yield f"findings: index {max(card.indices)}; the network gives {given}, so the last is {given - 1}"
    elif card.outputs is None and card.output.kind == "multi-class":
        yield from faults_of_class_count(given)


def faults_of_outputs(model: Classifier[Any], card: CardFile, given: Outputs) -> Iterator[str]:
    """Yield what the network gives in a shape that the card does not promise."""
    yield from faults_of_logits(card, given)
    if given.logits.ndim == 2 and card.explanation is not None:
        yield from faults_of_maps(card, given)
    if model.atlas is not None:
        yield from faults_of_embedding(given, len(model.atlas.mean))


def faults_of_logits(card: CardFile, given: Outputs) -> Iterator[str]:
    """Yield why findings cannot be read from what the network gives."""
    if given.logits.ndim == 2:
        yield from faults_of_count(card, given.logits.shape[1])
    else:
        yield f"the network gives logits of shape {given.logits.shape}; the rule is (films, outputs)"


def faults_of_maps(card: CardFile, given: Outputs) -> Iterator[str]:
    """Yield why what should be a map is none."""
    outputs, dimensions = given.logits.shape[1], len(card.input.grid) - 1
    if given.cams is None:
        yield "explanation: the card promises a map, the network gives none"
    elif given.cams.ndim != 2 + dimensions or given.cams.shape[:2] != (1, outputs):
        rule = f"(films, {outputs}) and {dimensions} lengths"
        yield f"explanation: the network gives a map of shape {given.cams.shape}; the rule is {rule}"
    elif max(given.cams.shape[2:]) == 1:
        yield "explanation: the network gives a map of one cell, which shows no place"


def faults_of_embedding(given: Outputs, length: int) -> Iterator[str]:
    """Yield why an atlas cannot be used."""
    if given.embedding is None:
        yield "atlas: the network gives no embedding to compare with it"
    elif given.embedding.shape != (1, length):
        yield f"atlas: embeddings of {length} numbers, the network gives shape {given.embedding.shape}"
