"""An exported program of torch as a network: batches, devices and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from inference.card import CardFile
from inference.card_sections import CLASS_ACTIVATION, GRAD_CAM
from inference.errors import InvalidCardError
from inference.models.port import Grid, Outputs, Runtime, named_outputs
from inference.models.torch_device import NO_LOGITS, failures_named, started_device, tensors_in
from inference.models.torch_graph import Tapped, batch_of, is_training, tapped
from inference.serving.cuda import Runner, runner_on
from inference.serving.lanes import Forward

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ProgramNetwork:
    """A program that `torch.export` made.

    Attributes
    ----------
    method
        How maps are made: ``class-activation``, ``grad-cam``, or None for no map.
    read
        Outputs whose maps are wanted.
    precision
        In which it computes.
    """

    source: str
    program: ExportedProgram = field(repr=False, compare=False)
    device: torch.device
    method: str | None
    read: tuple[int, ...]
    precision: str = "float32"
    module: Any = field(init=False, repr=False, compare=False)
    tap: Tapped | None = field(init=False, repr=False, compare=False)
    runner: Runner = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.program.graph_signature.user_inputs) != 1:
            raise InvalidCardError(f"{self.source}: takes {self.program.graph_signature.user_inputs}; the rule is one")
        if is_training(self.program):
            raise InvalidCardError(f"{self.source}: exported while in training; call eval() before torch.export")
        if not self._logits.is_floating_point():
            raise InvalidCardError(f"{self.source}: {NO_LOGITS.format(self._logits.dtype)}")
        if self.device.type != "cpu":
            move_to_device_pass(self.program, str(self.device))
        tap = self._tapped()
        object.__setattr__(self, "tap", tap)
        object.__setattr__(self, "module", (tap.module if tap else self.program.module()).requires_grad_(False))
        object.__setattr__(self, "runner", self._runner(tap))

    @classmethod
    def of(cls, source: str, program: ExportedProgram, card: CardFile, runtime: Runtime) -> ProgramNetwork:
        """Return the network of a card."""
        method = card.explanation.method if card.explanation else None
        precision = card.device.precision_on(runtime.kind)
        return cls(source, program, started_device(runtime), method, card.indices, precision)

    def _runner(self, tap: Tapped | None) -> Runner:
        """Return what runs the program and the maps that are wanted of it."""
        if tap is None:
            forward: Forward = self._own
        elif self.method in (None, CLASS_ACTIVATION):
            forward = partial(self._activated, tap)
        else:
            forward = partial(self._weighted, tap)
        with_gradients = tap is not None and self.method == GRAD_CAM
        batch = batch_of(self._input)
        return runner_on(self.device, self.module, forward, self.precision, batch=batch, gradients=with_gradients)

    def _tapped(self) -> Tapped | None:
        """Return the program with features, None where no map is wanted or the program gives its maps itself.

        The embedding comes from the features too; it costs next to nothing.
        """
        if len(self.program.graph_signature.user_outputs) > 1:
            return None
        tap = tapped(self.program)
        if self.method == CLASS_ACTIVATION and (tap is None or tap.head is None):
            rule = "a head that is linear after the mean over all places"
            raise InvalidCardError(f"explanation.method: {self.method} needs {rule}; grad-cam needs none")
        if self.method is not None and tap is None:
            raise InvalidCardError(f"explanation.method: {self.method}; nothing in {self.source} is a map")
        return tap if self.method is not None or (tap and tap.head) else None

    @property
    def grid(self) -> Grid | None:
        """Shape of one film or volume that the program takes."""
        return tuple(each if isinstance(each, int) else None for each in self._input.shape[1:])

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film."""
        shape = self._logits.shape
        count = shape[1] if len(shape) == 2 else 1 if len(shape) < 2 else None
        return count if isinstance(count, int) else None

    def run(self, films: Floats) -> Outputs:
        """Return what the program says of a batch; where it was exported for fewer films, piece by piece."""
        least, most = batch_of(self._input)
        with failures_named(self.source, self.device):
            pieces = [films[at : at + most] for at in range(0, len(films), most)]
            given = [self._outputs(filled(piece, least)) for piece in pieces]
        return joined(given, [len(piece) for piece in pieces])

    def _outputs(self, films: Floats) -> Outputs:
        given = self.runner.run(films)
        if self.tap is None:
            return named_outputs([each for each in given if each is not None], len(films), self.source)
        logits, cams, embedding = given
        assert logits is not None  # noqa: S101 - narrows the type
        return named_outputs([logits], len(films), self.source)._replace(cams=cams, embedding=embedding)

    def _own(self, films: Tensor) -> Sequence[Tensor]:
        with torch.inference_mode():
            return tensors_in(self.module(films.to(self._input.dtype)))

    def _activated(self, tap: Tapped, films: Tensor) -> Sequence[Tensor | None]:
        """Return outputs with exact maps: the head, applied to every place instead of to their mean."""
        with torch.inference_mode():
            *own, features, _ = self.module(films.to(self._input.dtype))
            head = self.module.get_parameter(tap.head) if tap.head else None
            maps = None if self.method is None or head is None else head_at_every_place(features, head)
            embedding = features.flatten(2).mean(2) if tap.head else None
        return own[0], maps, embedding

    def _weighted(self, tap: Tapped, films: Tensor) -> Sequence[Tensor | None]:
        """Return outputs with maps by Grad-CAM.

        Gradients are summed, not averaged, over places: where the head is linear after a mean, the mean of the map is
        the logit less the bias, as it is for an exact map.
        """
        with torch.enable_grad():
            *own, features, logits = self.module(films.detach().to(self._input.dtype).requires_grad_())
            columns = logits.reshape(len(films), -1)
            maps = torch.zeros(*columns.shape, *features.shape[2:], device=self.device)
            for index in self.read:
                (gradient,) = torch.autograd.grad(columns[:, index].sum(), features, retain_graph=True)
                weights = gradient.flatten(2).sum(2)
                maps[:, index] = torch.einsum("bc...,bc->b...", features.detach(), weights)
        embedding = features.detach().flatten(2).mean(2) if tap.head else None
        return own[0].detach(), maps, embedding

    @property
    def _input(self) -> Tensor:
        return self._value(self.program.graph_signature.user_inputs[0])

    @property
    def _logits(self) -> Tensor:
        return self._value(self.program.graph_signature.user_outputs[0])

    def _value(self, name: object) -> Tensor:
        (value,) = [node.meta["val"] for node in self.program.graph.nodes if node.name == name]
        assert isinstance(value, Tensor)  # noqa: S101 - narrows the type
        return value


def head_at_every_place(features: Tensor, head: Tensor) -> Tensor:
    """Return (films, outputs, rows, columns) of features (films, channels, rows, columns)."""
    return torch.einsum("bc...,kc->bk...", features, head)


def filled(films: Floats, least: int) -> Floats:
    """Return a batch of so many films at least, the last repeated."""
    return np.concatenate([films, np.repeat(films[-1:], max(0, least - len(films)), axis=0)])


def joined(pieces: Sequence[Outputs], counts: Sequence[int]) -> Outputs:
    """Return what pieces of a batch gave as one, without what filled each."""
    cut = [
        [None if each is None else each[:count] for each in piece] for piece, count in zip(pieces, counts, strict=True)
    ]
    logits, cams, embeddings = ([each for each in values if each is not None] for values in zip(*cut, strict=True))
    return Outputs(np.concatenate(logits), *(np.concatenate(each) if each else None for each in (cams, embeddings)))
