"""A computation in torch where it runs: at once on a CPU; on CUDA prepared for batches that share the device.

On CUDA films go through pinned memory on a stream of their own while another batch is computed; weights lie channels
last and batches are replayed as captured graphs where that is measured faster. None of this has run on a GPU yet: none
was at hand. The same code is tested on a CPU, and the tests marked `gpu` wait for one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.models.torch_device import array_of
from inference.serving.batching import LANES, MOST
from inference.serving.forms import TRIALS, faster_captured, in_precision, laid_out
from inference.serving.lanes import Forward, Lanes, Stream, current, sizes
from inference.serving.memory import is_out_of_memory

Floats = NDArray[np.float32]
# Of the films of one batch: volumes are large.
MOST_BYTES = 256 << 20


class Runner(Protocol):
    """A computation on its device; safe to use from several threads at once."""

    def run(self, films: Floats) -> list[Floats | None]:
        """Return logits, maps and embeddings of a batch; None for what is not given."""


class HostRunner:
    """Runs films in the thread that asks: for a CPU, where a batch gains nothing and nothing is copied."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    def run(self, films: Floats) -> list[Floats | None]:
        """Return logits, maps and embeddings of a batch."""
        with torch.no_grad():
            given = self._forward(torch.from_numpy(np.ascontiguousarray(films)))
            return [None if each is None else array_of(each) for each in given]


class DeviceRunner:
    """Runs batches through lanes, which are prepared when the first one tells the shape of a film.

    Parameters
    ----------
    module
        Holds the weights of the forward.
    least, most
        Films of a batch that the forward takes; a larger batch is run in parts.
    gradients
        True where the forward needs them; it is not captured then.
    """

    def __init__(
        self,
        module: nn.Module,
        forward: Forward,
        device: torch.device,
        *,
        least: int = 1,
        most: int = MOST,
        gradients: bool = False,
        trials: int = TRIALS,
    ) -> None:
        self._module, self._forward, self._device = module, forward, device
        self._least, self._most, self._trials = least, most, trials
        self._captures = device.type == "cuda" and not gradients
        self._preparing = threading.Lock()
        self.lanes: Lanes | None = None

    def run(self, films: Floats) -> list[Floats | None]:
        """Return logits, maps and embeddings of a batch."""
        with self._preparing:
            if self.lanes is None:
                self.lanes = self._fitting(films.shape[1:])
        try:
            return self.lanes.run(films)
        except Exception as error:
            if is_out_of_memory(error):
                self._empty_cache()
            raise

    def _fitting(self, shape: Sequence[int]) -> Lanes:
        """Return lanes of as many films as there is room for."""
        most = max(self._least, min(self._most, MOST_BYTES // (4 * int(np.prod(shape)))))
        while True:
            try:
                return self._prepared(shape, most)
            except Exception as error:
                if most == self._least or not is_out_of_memory(error):
                    raise
            self._empty_cache()
            most = max(self._least, most // 2)

    def _prepared(self, shape: Sequence[int], most: int) -> Lanes:
        with torch.no_grad(), current(self._device):
            own = torch.get_device_module(self._device)
            stream = own.Stream()
            films = torch.randn(most, *shape, device=self._device)
            own.synchronize()
            with own.stream(stream):
                forward = laid_out(self._module, self._forward, films, self._trials)
                prepared = {size: self._form(forward, films[:size], stream) for size in sizes(most, self._least)}
            own.synchronize()
            return Lanes(prepared, stream, self._device, shape, LANES)

    def _form(self, forward: Forward, films: Tensor, stream: Stream) -> Forward:
        # A clone of its own: it becomes the place from which the captured graph reads.
        return faster_captured(forward, films.clone(), stream, self._trials) if self._captures else forward

    def _empty_cache(self) -> None:
        # Whatever the cache holds in other sizes may be what is missing for the half batch.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def runner_on(
    device: torch.device,
    module: nn.Module,
    forward: Forward,
    precision: str = "float32",
    *,
    batch: tuple[int, int] = (1, MOST),
    gradients: bool = False,
) -> Runner:
    """Return what runs a forward on a device in a precision.

    Parameters
    ----------
    batch
        Least and most films that the forward takes at once.
    """
    forward = in_precision(forward, device, precision)
    if device.type == "cpu":
        return HostRunner(forward)
    return DeviceRunner(module, forward, device, least=batch[0], most=min(batch[1], max(MOST, batch[0])),
                        gradients=gradients)  # fmt: skip
