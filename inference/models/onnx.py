"""Networks in ONNX, run by ONNX Runtime."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidCardError, ModelError
from inference.models.port import Outputs

# Since 1.29 the runtime keeps a device identifier and events about its models in the home folder, and sends them
# to its maker. Read once, when it is imported: nothing is created, kept or sent
# (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

# On Windows the variable is not read.
onnxruntime.disable_telemetry_events()

Floats = NDArray[np.float32]

INPUT, OUTPUTS = "films", ("logits", "cams", "embedding")
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class OnnxNetwork:
    """A graph with input `films` and outputs `logits` and, if it has them, `cams` and `embedding`.

    Attributes
    ----------
    device
        Key of `PROVIDERS`.
    threads
        Threads within one operation. One is right beside other load: more of them wait for each other.
    running
        Options of the runs in progress, by the thread that waits for each.
    """

    path: Path
    device: str = "cpu"
    threads: int = 1
    session: Any = field(init=False, repr=False, compare=False)
    running: dict[int, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        session = self._started()
        object.__setattr__(self, "session", session)
        self._require_names()

    def _started(self) -> onnxruntime.InferenceSession:
        provider = PROVIDERS.get(self.device)
        if provider not in onnxruntime.get_available_providers():
            raise ModelError(f"device: {self.device}; this ONNX Runtime has {available_devices()}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(self.path, options, providers=[provider])
        except Exception as error:  # the runtime raises a dozen unrelated types
            raise ModelError(f"{self.path.name}: ONNX Runtime cannot load it ({type(error).__name__})") from error

    def _require_names(self) -> None:
        inputs = tuple(each.name for each in self.session.get_inputs())
        if inputs != (INPUT,) or self._names[:1] != OUTPUTS[:1] or not set(self._names) <= set(OUTPUTS):
            rule = f"{INPUT} to {OUTPUTS[0]} and, if it has them, {' and '.join(OUTPUTS[1:])}"
            raise InvalidCardError(f"{self.path.name}: {inputs} to {self._names}; the rule is {rule}")

    @property
    def side(self) -> int | None:
        """Rows and columns that the graph takes."""
        rows = self.session.get_inputs()[0].shape[2]
        return rows if isinstance(rows, int) else None

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film."""
        columns = self.session.get_outputs()[0].shape[1]
        return columns if isinstance(columns, int) else None

    def run(self, films: Floats) -> Outputs:
        """Return what the graph says of a batch."""
        options = self.running[get_ident()] = onnxruntime.RunOptions()
        try:
            values = self.session.run(None, {INPUT: films}, options)
        finally:
            del self.running[get_ident()]
        given = dict(zip(self._names, values, strict=True))
        return Outputs(given["logits"], given.get("cams"), given.get("embedding"))

    def end(self, thread: int) -> None:
        """Let the run that a thread waits for, if any, raise before its next operation."""
        if options := self.running.get(thread):
            options.terminate = True

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.session.get_outputs())


def available_devices() -> str:
    """Return the names of the devices that can be asked for."""
    available = onnxruntime.get_available_providers()
    return ", ".join(device for device, provider in PROVIDERS.items() if provider in available)
