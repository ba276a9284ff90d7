"""The forms of one computation in torch: layouts of memory, precisions, captured graphs; the fastest that is right.

A form that is not the plain one is used only where it gives the same outputs and is measured faster on the device.

References
----------
* https://docs.pytorch.org/docs/stable/notes/cuda.html: CUDA graphs
* https://docs.pytorch.org/docs/stable/amp.html: autocast
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from inference.serving.lanes import Forward, Stream
from inference.serving.memory import is_out_of_memory

TRIALS = 20
# A form is used only where it saves more than what two measurements of one form differ by.
LEAST_GAIN = 0.05
# Of the largest value of an output. Orders of summation differ by less, wrong results by more.
TOLERANCE = 0.01
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def in_precision(forward: Forward, device: torch.device, precision: str) -> Forward:
    """Return a forward that computes in a precision: `float32`, or a name of torch that autocast knows."""
    if precision == "float32":
        return forward

    def run(films: Tensor) -> Sequence[Tensor | None]:
        # A captured graph must not hold on to a cast copy of a weight that autocast would free.
        with torch.autocast(device.type, getattr(torch, precision), cache_enabled=False):
            return forward(films)

    return run


def laid_out(module: nn.Module, forward: Forward, films: Tensor, trials: int = TRIALS) -> Forward:
    """Return the forward with weights and films channels last where that is faster, as it is elsewhere.

    Parameters
    ----------
    module
        Holds the weights of the forward; they are laid out anew.
    films
        Of the size that is to be fast.
    """
    layout = LAST.get(films.ndim)
    if layout is None:
        return forward

    def channels_last(batch: Tensor) -> Sequence[Tensor | None]:
        return forward(batch.contiguous(memory_format=layout))

    expected, plain_s = forward(films), seconds(forward, films, trials)
    module.to(memory_format=layout)
    if is_better(lambda: channels_last, films, expected, plain_s, trials):
        return channels_last
    module.to(memory_format=torch.contiguous_format)
    return forward


def faster_captured(forward: Forward, films: Tensor, stream: Stream, trials: int = TRIALS) -> Forward:
    """Return a forward that replays one launch for a whole batch where that is faster, the plain one elsewhere."""
    expected, plain_s = forward(films), seconds(forward, films, trials)
    made: list[Forward] = []

    def capture() -> Forward:
        made.append(captured(forward, films, stream))
        return made[0]

    return made[0] if is_better(capture, films, expected, plain_s, trials) else forward


def captured(forward: Forward, films: Tensor, stream: Stream) -> Forward:
    """Return a forward that replays a CUDA graph; `films` becomes its input."""
    graph = torch.cuda.CUDAGraph()
    # Of this thread alone: another model of the process may be at work.
    with torch.cuda.graph(graph, stream=cast("torch.cuda.Stream", stream), capture_error_mode="thread_local"):
        given = forward(films)

    def replay(batch: Tensor) -> Sequence[Tensor | None]:
        if batch is not films:
            films.copy_(batch)
        graph.replay()
        # The next replay writes into the same place.
        return [None if each is None else each.clone() for each in given]

    return replay


def is_better(
    form: Callable[[], Forward], films: Tensor, expected: Sequence[Tensor | None], plain_s: float, trials: int
) -> bool:
    """True if a form can be made, gives what is expected, and saves time; memory that runs out is raised."""
    try:
        forward = form()
        return is_alike(forward(films), expected) and seconds(forward, films, trials) < (1.0 - LEAST_GAIN) * plain_s
    except Exception as error:  # a program may name strides, or ask the host, which no graph can
        if is_out_of_memory(error):
            raise
        return False


def is_alike(given: Sequence[Tensor | None], expected: Sequence[Tensor | None]) -> bool:
    """True if outputs are those expected but for the order of sums."""
    pairs = [(one, other) for one, other in zip(given, expected, strict=True) if one is not None and other is not None]
    return all(
        float((one.float() - other.float()).abs().max()) <= TOLERANCE * float(other.abs().max()) for one, other in pairs
    )


def seconds(forward: Forward, films: Tensor, trials: int) -> float:
    """Return the median time of a batch on its device."""
    own, times = torch.get_device_module(films.device), []
    forward(films)
    for _ in range(trials):
        own.synchronize()
        begun = time.perf_counter()
        forward(films)
        own.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)
