"""A torch network on a CUDA device: pinned memory, a stream for copies, captured graphs.

None of this has run on a GPU yet: none was at hand. Its tests are marked `gpu`.

References
----------
* https://docs.pytorch.org/docs/stable/notes/cuda.html: streams, pinned memory, CUDA graphs
"""

from __future__ import annotations

import queue
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.models.port import Grid, Outputs
from inference.serving.batching import LANES, MOST

Floats = NDArray[np.float32]
Forward = Callable[[Tensor], Sequence[Tensor]]

TRIALS = 20


@dataclass(frozen=True)
class Lane:
    """What one batch under way has for itself: a stream for its copies, and films at both ends of it."""

    copies: torch.cuda.Stream
    pinned: Tensor
    films: Tensor

    @classmethod
    def on(cls, device: torch.device, shape: Sequence[int]) -> Lane:
        """Return a lane for films of a shape, (most, channels, rows, columns)."""
        pinned = torch.zeros(*shape, pin_memory=True)
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        return cls(stream, pinned, torch.zeros(*shape, device=device))


class CudaNetwork:
    """A `Network` around a torch module that gives logits, maps and embeddings.

    Batches are padded to powers of two, so that a few captured graphs serve all of them.

    Parameters
    ----------
    module
        Gives logits, maps and embeddings of films, float32 (films, channels, side, side); the latter two may be
        left out.
    outputs
        Number of logits of a film.
    precision
        Of the computation: float32, or what `inference.serving.precision` finds to change no decision.
    most
        Films of the largest batch; a larger one is run in parts.
    lanes
        Batches that are under way at once: one is copied while another is computed.
    """

    def __init__(
        self,
        module: nn.Module,
        side: int,
        outputs: int,
        device: str = "cuda",
        precision: torch.dtype = torch.float32,
        channels: int = 1,
        most: int = MOST,
        lanes: int = LANES,
    ) -> None:
        self.outputs, self.most = outputs, most
        self._device, self._precision, self._shape = torch.device(device), precision, (channels, side, side)
        self.grid: Grid = self._shape
        self._module = module.eval().to(self._device).to(memory_format=torch.channels_last)
        self._computing = threading.Lock()
        with torch.cuda.device(self._device):
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
            for _ in range(lanes):
                self._lanes.put(Lane.on(self._device, (most, *self._shape)))
            torch.cuda.synchronize()
            self.forwards = {size: self._fastest(size) for size in sizes(most)}

    def run(self, films: Floats) -> Outputs:
        """Return what the network says of a batch; see `inference.models.port.Network`."""
        if len(films) > self.most:
            parts = [self.run(films[start : start + self.most]) for start in range(0, len(films), self.most)]
            logits, cams, embedding = zip(*parts, strict=True)
            return Outputs(np.concatenate(logits), joined(cams), joined(embedding))
        try:
            with torch.inference_mode(), torch.cuda.device(self._device), self._free_lane() as lane:
                return self._run(lane, films)
        except torch.OutOfMemoryError:
            # Whatever the cache holds in other sizes may be what is missing for the half batch.
            torch.cuda.empty_cache()
            raise

    def _run(self, lane: Lane, films: Floats) -> Outputs:
        count, size = len(films), padded(len(films), self.most)
        lane.pinned[:count].copy_(torch.from_numpy(films))
        with torch.cuda.stream(lane.copies):
            lane.films[:size].copy_(lane.pinned[:size], non_blocking=True)
            copied = lane.copies.record_event()
        # One batch at a time: a captured graph has one place for its films and one for its outputs.
        with self._computing, torch.cuda.stream(self._stream):
            self._stream.wait_event(copied)
            given = [each[:count].float() for each in self.forwards[size](lane.films[:size])]
            computed = self._stream.record_event()
        with torch.cuda.stream(lane.copies):
            lane.copies.wait_event(computed)
            fetched = [self._fetched(each, lane) for each in given]
        lane.copies.synchronize()
        return Outputs(*(each.numpy().copy() for each in fetched))

    def _fetched(self, given: Tensor, lane: Lane) -> Tensor:
        # Made on the other stream: its memory is not to be given away before this one has read it.
        given.record_stream(lane.copies)
        return torch.empty(given.shape, pin_memory=True).copy_(given, non_blocking=True)

    @contextmanager
    def _free_lane(self) -> Iterator[Lane]:
        lane = self._lanes.get()
        try:
            yield lane
        finally:
            self._lanes.put(lane)

    def _forward(self, films: Tensor) -> Sequence[Tensor]:
        """Return logits, maps and embeddings as the module computes them."""
        exact = self._precision == torch.float32
        # A captured graph must not hold on to a cast copy of a weight that autocast would free.
        with torch.autocast("cuda", None if exact else self._precision, not exact, cache_enabled=False):
            given = self._module(films.contiguous(memory_format=torch.channels_last))
        return [given] if isinstance(given, Tensor) else list(given)

    def _fastest(self, size: int) -> Forward:
        """Return the captured or the plain forward, whichever is faster for a batch of a size."""
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            films = torch.zeros(size, *self._shape, device=self._device)
            plain_ms = self._milliseconds(self._forward, films)
            captured = self._captured(films)
            return captured if self._milliseconds(captured, films) < plain_ms else self._forward

    def _captured(self, films: Tensor) -> Forward:
        """Return a forward that replays one launch for a whole batch; `films` becomes its input."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            given = self._forward(films)

        def replay(batch: Tensor) -> Sequence[Tensor]:
            films.copy_(batch)
            graph.replay()
            # The next replay writes into the same place.
            return [each.clone() for each in given]

        return replay

    def _milliseconds(self, forward: Forward, films: Tensor) -> float:
        times = []
        for _ in range(TRIALS):
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            begun.record(self._stream)
            forward(films)
            ended.record(self._stream)
            ended.synchronize()
            times.append(float(begun.elapsed_time(ended)))
        return statistics.median(times)


def sizes(most: int) -> list[int]:
    """Return the batch sizes that are prepared: powers of two below the largest, and the largest."""
    return [size for power in range(most.bit_length()) if (size := 1 << power) < most] + [most]


def padded(films: int, most: int) -> int:
    """Return the smallest prepared size that holds so many films."""
    return next(size for size in sizes(most) if size >= films)


def joined(parts: Sequence[Floats | None]) -> Floats | None:
    """Return the outputs of the parts of a batch as those of the batch."""
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
