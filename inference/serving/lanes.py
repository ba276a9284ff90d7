"""Batches on a torch device: copied beside the one that is computed, and padded to a few prepared sizes.

The same code runs on a CPU, whose streams are empty forms, so that it can be tested there.

References
----------
* https://docs.pytorch.org/docs/stable/notes/cuda.html: streams, pinned memory
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
# Films on the device to logits, maps and embedding; None for what is not given.
Forward = Callable[[Tensor], Sequence[Tensor | None]]


class Event(Protocol):
    """A point in the work of a stream."""

    def synchronize(self) -> None:
        """Wait until the stream has come there."""


class Stream(Protocol):
    """Work of a device in its order: of torch.cuda, or the empty form of torch.cpu."""

    def wait_event(self, event: Event) -> None:
        """Let the work that follows wait for that of another stream."""


@dataclass(frozen=True)
class Lane:
    """What one batch under way has for itself: a stream for its copies, and films at both ends of it."""

    copies: Stream
    pinned: Tensor
    films: Tensor

    @classmethod
    def on(cls, device: torch.device, shape: Sequence[int]) -> Lane:
        """Return a lane for films of a shape, (most, channels, rows, columns)."""
        pinned = torch.zeros(*shape, pin_memory=device.type == "cuda")
        return cls(torch.get_device_module(device).Stream(), pinned, torch.zeros(*shape, device=device))


class Lanes:
    """Runs batches of any number of threads on one device, one after the other, their copies beside them.

    Parameters
    ----------
    forwards
        By the number of films: a batch is filled up to the next such number.
    stream
        Where they compute, and were captured if they are.
    shape
        Of one film, (channels, rows, columns), or volume.
    count
        Batches that are under way at once: one is copied while another is computed.
    """

    def __init__(
        self, forwards: Mapping[int, Forward], stream: Stream, device: torch.device, shape: Sequence[int], count: int
    ) -> None:
        self._forwards, self._stream, self._device = forwards, stream, device
        self.shape, self.most = tuple(shape), max(forwards)
        self._own = torch.get_device_module(device)
        self._computing = threading.Lock()
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        with current(device):
            for _ in range(count):
                self._free.put(Lane.on(device, (self.most, *shape)))
            self._own.synchronize()

    def run(self, films: Floats) -> list[Floats | None]:
        """Return logits, maps and embeddings of a batch of any size; None for what is not given.

        Raises
        ------
        ValueError
            The films are not of the shape that was prepared.
        """
        if films.shape[1:] != self.shape:
            raise ValueError(f"films: shape {films.shape[1:]}; prepared were {self.shape}")
        starts = range(0, len(films), self.most)
        with torch.no_grad(), current(self._device), self._lane() as lane:
            parts = [self._run(lane, films[start : start + self.most]) for start in starts]
        return [joined(each) for each in zip(*parts, strict=True)]

    def _run(self, lane: Lane, films: Floats) -> list[Floats | None]:
        count, size = len(films), padded(len(films), tuple(self._forwards))
        lane.pinned[:count].copy_(torch.from_numpy(np.ascontiguousarray(films)))
        # What is left of an earlier batch would be computed again; a film in the place of it is like the others.
        lane.pinned[count:size] = lane.pinned[:1]
        with self._own.stream(lane.copies):
            lane.films[:size].copy_(lane.pinned[:size], non_blocking=True)
        copied = self._recorded(lane.copies)
        # One batch at a time: a captured graph has one place for its films and one for its outputs.
        with self._computing, self._own.stream(self._stream):
            self._stream.wait_event(copied)
            given = [first(each, count, size) for each in self._forwards[size](lane.films[:size])]
            computed = self._recorded(self._stream)
        with self._own.stream(lane.copies):
            lane.copies.wait_event(computed)
            fetched = [None if each is None else self._fetched(each) for each in given]
        # Until here `given` holds its memory, which the other stream must not have again while this one reads it.
        self._recorded(lane.copies).synchronize()
        return [None if each is None else each.numpy().copy() for each in fetched]

    def _recorded(self, stream: Stream) -> Event:
        made = self._own.Event()
        made.record(stream)
        event: Event = made
        return event

    def _fetched(self, given: Tensor) -> Tensor:
        return torch.empty(given.shape, pin_memory=self._device.type == "cuda").copy_(given, non_blocking=True)

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        lane = self._free.get()
        try:
            yield lane
        finally:
            self._free.put(lane)


def current(device: torch.device) -> AbstractContextManager[Any]:
    """Make a CUDA device the one that streams and events without a device of their own belong to."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def first(given: Tensor | None, count: int, size: int) -> Tensor | None:
    """Return an output without what filled the batch, as float32."""
    return None if given is None else (given if count == size else given[:count]).float()


def sizes(most: int, least: int = 1) -> list[int]:
    """Return the batch sizes that are prepared: the least, powers of two above it, and the largest."""
    powers = (1 << power for power in range(most.bit_length()))
    return sorted({least, most, *(size for size in powers if least < size < most)})


def padded(films: int, prepared: Sequence[int]) -> int:
    """Return the smallest prepared size that holds so many films."""
    return min(size for size in prepared if size >= films)


def joined(parts: Sequence[Floats | None]) -> Floats | None:
    """Return the outputs of the parts of a batch as those of the batch."""
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
