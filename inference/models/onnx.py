"""Networks in ONNX, run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.card import CardFile
from inference.errors import InvalidCardError, ModelError
from inference.models.onnx_tensors import has_external_data
from inference.models.port import Grid, Outputs, Runtime, of_films

# Since 1.29 the runtime keeps a device identifier and events about its models in the home folder, and sends them
# to its maker. Read once, when it is imported: nothing is created, kept or sent
# (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

# On Windows the variable is not read.
onnxruntime.disable_telemetry_events()

Floats = NDArray[np.float32]

INPUT, OUTPUTS = "films", ("logits", "cams", "embedding")
# Numbers in which a graph takes films and gives logits, as the runtime calls them.
TYPES: Mapping[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def network(path: Path, card: CardFile, runtime: Runtime) -> OnnxNetwork:
    """Return the network in a file."""
    if card.device.precision:
        raise InvalidCardError("device.precision: ONNX Runtime computes in the types that the file names")
    return OnnxNetwork(path, runtime.device, runtime.threads, card.weights.tensor_names())


@dataclass(frozen=True)
class OnnxNetwork:
    """A graph with input `films` and outputs `logits` and, if it has them, `cams` and `embedding`.

    Attributes
    ----------
    device
        ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        Threads within one operation. One is right beside other load: more of them wait for each other.
    names
        What the graph calls these; one that is not named has its own name.
    running
        Options of the runs in progress, by the thread that waits for each.
    """

    path: Path
    device: str = "cpu"
    threads: int = 1
    names: Mapping[str, str] = field(default_factory=dict)
    session: Any = field(init=False, repr=False, compare=False)
    running: dict[int, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        require_whole(self.path)
        session = self._started()
        object.__setattr__(self, "session", session)
        self._require_names()
        self._require_types()

    def _started(self) -> onnxruntime.InferenceSession:
        runtime = Runtime(self.device, self.threads)
        provider = PROVIDERS[runtime.kind]
        if provider not in onnxruntime.get_available_providers():
            raise ModelError(f"device: {self.device}; this ONNX Runtime has {available_devices()}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The format that was looked through; otherwise the runtime guesses by name.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            session = onnxruntime.InferenceSession(
                self.path, options, providers=[(provider, provider_options(runtime))]
            )
        except Exception as error:  # the runtime raises a dozen unrelated types
            where = "" if runtime.kind == "cpu" else f" on {self.device}"
            raise ModelError(
                f"{self.path.name}: ONNX Runtime cannot load it{where}: damaged, or no ONNX ({type(error).__name__})"
            ) from error
        if session.get_providers()[0] != provider:  # without its driver the runtime goes on with the CPU
            raise ModelError(f"device: {self.device}; ONNX Runtime has it and cannot start it: is its driver there?")
        return session

    def _require_names(self) -> None:
        inputs = [each.name for each in self.session.get_inputs()]
        outputs = [each.name for each in self.session.get_outputs()]
        absent = [name for key, name in self.names.items() if name not in (inputs if key == INPUT else outputs)]
        if inputs != [self._named(INPUT)] or self._named(OUTPUTS[0]) not in outputs or absent:
            raise InvalidCardError(
                f"{self.path.name}: {', '.join(inputs)} to {', '.join(outputs)}; the rule is {INPUT} to {OUTPUTS[0]} "
                f"and, if it has them, {' and '.join(OUTPUTS[1:])}, or what [weights.names] calls them"
            )

    def _require_types(self) -> None:
        # Whole numbers that come out are decisions, of which no score can be made.
        for each in (*self.session.get_inputs(), self._logits):
            if each.type not in TYPES:
                rule = "float32, float16 or float64"
                raise InvalidCardError(f"{self.path.name}: {each.name}: {each.type}; the rule is {rule}")

    @property
    def grid(self) -> Grid | None:
        """Shape of one film or volume that the graph takes."""
        return grid_of(self.session.get_inputs()[0].shape)

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film."""
        shape = self._logits.shape
        return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None

    def run(self, films: Floats) -> Outputs:
        """Return what the graph says of a batch.

        Raises
        ------
        ModelError
            The runtime fails: memory, driver, or a graph that does not take the batch or has not a row for each film.
        """
        given = {key: self._named(key) for key in OUTPUTS if self._named(key) in self._graph_outputs}
        batch = {self._named(INPUT): films.astype(self._type, copy=False)}
        options = self.running[get_ident()] = onnxruntime.RunOptions()
        try:
            values = self.session.run(list(given.values()), batch, options)
            outputs = Outputs(**{key: np.asarray(each, np.float32) for key, each in zip(given, values, strict=True)})
        except Exception as error:  # the runtime raises a dozen unrelated types
            said = str(error).splitlines()[0]
            raise ModelError(f"{self.path.name}: ONNX Runtime failed on {self.device}: {said}") from error
        finally:
            del self.running[get_ident()]
        try:
            return of_films(outputs, len(films), self.path.name)
        except ValueError as error:
            raise ModelError(str(error)) from error

    def end(self, thread: int) -> None:
        """Let the run that a thread waits for, if any, raise before its next operation."""
        if options := self.running.get(thread):
            options.terminate = True

    @property
    def _logits(self) -> Any:  # noqa: ANN401 - the runtime has no types
        (logits,) = (each for each in self.session.get_outputs() if each.name == self._named(OUTPUTS[0]))
        return logits

    @property
    def _type(self) -> type[np.floating[Any]]:
        return TYPES[self.session.get_inputs()[0].type]

    @property
    def _graph_outputs(self) -> set[str]:
        return {each.name for each in self.session.get_outputs()}

    def _named(self, key: str) -> str:
        return self.names.get(key, key)


def require_whole(path: Path) -> None:
    """Raise for a graph that keeps tensors in another file.

    Raises
    ------
    InvalidCardError
        It does; whether that file is there is not asked.
    ModelError
        The file is no ONNX.
    """
    try:
        is_parted = has_external_data(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{path.name}: no ONNX: damaged, or another format ({error})") from error
    if is_parted:
        raise InvalidCardError(
            f"{path.name}: keeps weights in another file, of which the card has no digest; the rule is one file: "
            "save it without external data"
        )


def provider_options(runtime: Runtime) -> dict[str, str]:
    """Return which device of its kind a session takes, and how it computes there.

    References
    ----------
    * https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html: device_id, use_tf32
    """
    # A convolution in TF32, which is the default there, has ten bits: a precision that nobody chose.
    return {} if runtime.kind == "cpu" else {"device_id": str(runtime.index), "use_tf32": "0"}


def grid_of(shape: list[Any]) -> Grid | None:
    """Return the shape of one film from that of a batch, None for a name or a number that stands for any."""
    return tuple(each if isinstance(each, int) and each > 0 else None for each in shape[1:]) or None


def available_devices() -> str:
    """Return the names of the devices that can be asked for."""
    available = onnxruntime.get_available_providers()
    return ", ".join(device for device, provider in PROVIDERS.items() if provider in available)
