"""What a network gives for a black image, held against its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.card import CardFile
from inference.errors import ModelError
from inference.models.known_film import faults_of_golden
from inference.models.model import Classifier
from inference.models.port import Grid, Network, Outputs, TellsGrid
from inference.preprocessing import scaled_channels


def contradictions(model: Classifier[Any], card: CardFile) -> Iterator[str]:
    """Yield what the card says otherwise than its network does."""
    declared = faults_declared(model, card)
    yield from declared
    if model.golden is not None:
        yield from faults_of_golden(model.golden, card)
    if not declared:
        yield from faults_of_outputs(model, card, tried(model, card))


def faults_of_model(model: Classifier[Any], card: CardFile) -> Iterator[str]:
    """Yield the contradictions of a model, and what makes it useless besides."""
    declared = faults_declared(model, card)
    yield from declared
    if declared:
        return
    try:
        faults = list(faults_of_outputs(model, card, tried(model, card)))
    except ModelError as error:
        yield str(error)
        return
    yield from faults
    for name, films in (("a black image", black(card)), ("one from black to white", ramp(card))):
        found = faults_of_values(model, films, has_shape=not faults)
        yield from (f"the network, on {name}: {fault}" for fault in found)
    if not faults:
        yield from faults_of_answer(model)


def faults_of_values(model: Classifier[Any], films: NDArray[np.float32], *, has_shape: bool) -> Iterator[str]:
    """Yield why no score can be made of what the network says of a film."""
    try:
        given = model.network.run(films).of(0)
    except ModelError as error:
        yield str(error)
        return
    if not given.is_finite:
        yield "not every value is finite, and a score is made of finite ones"
    elif has_shape and (fault := model.scoring.fault(given.logits)):
        yield f"output.values: {fault}"


def faults_of_answer(model: Classifier[Any]) -> Iterator[str]:
    """Yield how the model answers its golden film otherwise than the file says."""
    if model.golden is None:
        return
    try:
        (answer,) = model.predict([model.golden.film])
    except ModelError as error:
        yield f"golden film: {error}"
        return
    if mismatch := model.golden.mismatch(answer):
        yield mismatch


def faults_declared(model: Classifier[Any], card: CardFile) -> list[str]:
    """Return what the network says of itself otherwise than the card does."""
    return [*faults_of_grid(card, grid_of(model.network)), *faults_of_count(card, model.network.outputs)]


def tried(model: Classifier[Any], card: CardFile) -> Outputs:
    """Return what the network says of a black image; raises ModelError where it does not take one."""
    try:
        return model.network.run(black(card))
    except ModelError as error:
        raise ModelError(
            f"input: {card.input.kind} of {card.input.grid}, and the network fails on it: {error}"
        ) from error


def grid_of(network: Network) -> Grid | None:
    """Return what a network says that it takes."""
    return network.grid if isinstance(network, TellsGrid) else None


def black(card: CardFile) -> NDArray[np.float32]:
    """Return a batch of one black image as the network takes it."""
    return film_of(card, np.zeros(card.input.grid[1:], np.float32))


def ramp(card: CardFile) -> NDArray[np.float32]:
    """Return a batch of one image whose columns go from black to white, as the network takes it."""
    lengths = card.input.grid[1:]
    return film_of(card, np.broadcast_to(np.linspace(0.0, 1.0, lengths[-1], dtype=np.float32), lengths))


def film_of(card: CardFile, levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a batch of one image of levels in [0, 1] as the network takes it."""
    scaled = scaled_channels(levels, card.input.grid[0], *card.input.scaling())
    return np.ascontiguousarray(scaled[np.newaxis], np.float32)


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
        shape = " × ".join(str(length) for length in dict.fromkeys(taken[1:]))
        yield f"input.{key}: {own}, the network takes {shape}"


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


def faults_of_outputs(model: Classifier[Any], card: CardFile, given: Outputs) -> Iterator[str]:
    """Yield what the network gives in a shape that the card does not promise."""
    if given.logits.ndim != 2:
        yield f"the network gives logits of shape {given.logits.shape}; the rule is (films, outputs)"
        return
    yield from faults_of_count(card, given.logits.shape[1])
    if card.explanation is not None:
        yield from faults_of_maps(card, given)
    if model.atlas is not None:
        yield from faults_of_embedding(given, len(model.atlas.mean))


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
