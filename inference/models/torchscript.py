"""Programs that `torch.jit.save` wrote."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.card import CardFile
from inference.card_sections import GRAD_CAM
from inference.errors import InvalidCardError, ModelError
from inference.models.port import Grid, Outputs, Runtime, named_outputs
from inference.models.torch_device import NO_LOGITS, failures_named, started_device, tensors_in
from inference.serving.cuda import Runner, runner_on

Floats = NDArray[np.float32]


def network(path: Path, card: CardFile, runtime: Runtime) -> TorchScriptNetwork:
    """Return the network in a file."""
    if card.explanation and card.explanation.method == GRAD_CAM:
        # No hooks: https://docs.pytorch.org/docs/stable/jit.html has modules without access to what is between them.
        raise InvalidCardError(
            f"explanation.method: {GRAD_CAM}; TorchScript does not give its inner features: export by torch.export"
        )
    return TorchScriptNetwork(path, started_device(runtime), card.device.precision_on(runtime.kind))


@dataclass(frozen=True)
class TorchScriptNetwork:
    """A program in TorchScript: of films, gives logits, or logits with maps, or both with embeddings."""

    path: Path
    device: torch.device
    precision: str = "float32"
    module: Any = field(init=False, repr=False, compare=False)
    runner: Runner = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # deprecated, and what many files still are
                module = torch.jit.load(  # type: ignore[no-untyped-call]
                    io.BytesIO(self.path.read_bytes()), map_location=self.device
                )
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path.name}: no TorchScript: damaged, or another format") from error
        object.__setattr__(self, "module", module.eval())
        object.__setattr__(self, "runner", runner_on(self.device, self.module, self._forward, self.precision))

    @property
    def grid(self) -> Grid | None:
        """None: a script does not say."""
        return None

    @property
    def outputs(self) -> int | None:
        """None: a script does not say."""
        return None

    def run(self, films: Floats) -> Outputs:
        """Return what the program says of a batch."""
        with failures_named(self.path.name, self.device):
            given = [each for each in self.runner.run(films) if each is not None]
            return named_outputs(given, len(films), self.path.name)

    def _forward(self, films: Tensor) -> Sequence[Tensor]:
        with torch.inference_mode():
            given = tensors_in(self.module(films))
        if given and not given[0].is_floating_point():
            raise ValueError(NO_LOGITS.format(given[0].dtype))
        return given
