"""Torch on one device: what it runs on, and what its failures are called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import ModelError
from inference.models.port import Runtime

Floats = NDArray[np.float32]

NO_LOGITS = "logits: {}; the rule is a floating point, since of decisions no score can be made"


def started_device(runtime: Runtime) -> torch.device:
    """Return the device that is asked for.

    Raises
    ------
    ModelError
        This torch has no such device, or its driver does not answer.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if runtime.kind == "cuda" and runtime.index >= count:
        there = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
        raise ModelError(f"device: {runtime.device}; this torch has {there}")
    # Of the process: torch knows no other, and the threads of models that share one would wait for each other.
    torch.set_num_threads(runtime.threads)
    if runtime.kind == "cpu":
        return torch.device("cpu")
    # A convolution in TF32 has ten bits: a precision that nobody chose (`inference.serving.choosing`).
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda", runtime.index)


@contextmanager
def failures_named(source: str, device: torch.device) -> Iterator[None]:
    """Raise what torch raises as ModelError, in one line."""
    try:
        yield
    except Exception as error:  # torch.jit.Error is no RuntimeError, a guard of an export raises AssertionError
        # Of a program's own failure the last line says what it was; before it stands where in the program.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = lines[-1] if "Traceback" in str(error) and lines else next(iter(lines), type(error).__name__)
        raise ModelError(f"{source}: torch failed on {device.type}: {said}") from error


def tensors_in(value: Any) -> list[Tensor]:  # noqa: ANN401 - a program may return any nest of tensors
    """Return the tensors of a nest of tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for each in value for tensor in tensors_in(each)] if isinstance(value, (list, tuple)) else []


def array_of(tensor: Tensor) -> Floats:
    """Return a tensor as float32 of the host."""
    return np.asarray(tensor.detach().to("cpu", torch.float32).numpy(), np.float32)
