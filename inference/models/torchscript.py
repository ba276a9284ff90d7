"""Programs that `torch.jit.save` wrote."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.card import CardFile
from inference.card_sections import GRAD_CAM
from inference.errors import InvalidCardError, ModelError
from inference.models.port import Outputs, Runtime, named_outputs
from inference.models.torch_device import array_of, failures_named, started_device, tensors_in

Floats = NDArray[np.float32]


def network(path: Path, card: CardFile, runtime: Runtime) -> TorchScriptNetwork:
    """Return the network in a file."""
    if card.explanation and card.explanation.method == GRAD_CAM:
        # No hooks: https://docs.pytorch.org/docs/stable/jit.html has modules without access to what is between them.
        raise InvalidCardError(
            f"explanation.method: {GRAD_CAM}; TorchScript does not give its inner features: export by torch.export"
        )
    return TorchScriptNetwork(path, started_device(runtime))


@dataclass(frozen=True)
class TorchScriptNetwork:
    """A program in TorchScript: of films, gives logits, or logits with maps, or both with embeddings."""

    path: Path
    device: torch.device
    module: Any = field(init=False, repr=False, compare=False)

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

    @property
    def outputs(self) -> int | None:
        """None: a script does not say."""
        return None

    def run(self, films: Floats) -> Outputs:
        """Return what the program says of a batch."""
        with failures_named(self.path.name, self.device), torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(films)).to(self.device)
            values = tensors_in(self.module(batch))
            return named_outputs([array_of(each) for each in values], len(films), self.path.name)
