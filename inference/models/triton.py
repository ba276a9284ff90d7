"""A model on a Triton server, or another that speaks the KServe v2 protocol over HTTP.

References
----------
* Open Inference Protocol (KServe v2), HTTP/REST, with the binary tensor data extension
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from inference.card import CardFile
from inference.card_faults import faults_of
from inference.card_sections import GRAD_CAM, Section
from inference.errors import InvalidCardError, ModelError
from inference.models.port import Grid, Outputs, Runtime, of_films

Floats = NDArray[np.float32]
Given = TypeVar("Given")

INPUT, OUTPUTS = "films", ("logits", "cams", "embedding")
# Numbers in which films are sent, and those in which logits may come back.
SENT, REAL = "FP32", ("FP16", "BF16", "FP32", "FP64")


class Server(Section):
    """The file that a card of this kind names: where the model is."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    tls: bool = False
    model: Annotated[str, Field(min_length=1)]
    version: str = ""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0


class Tensor(BaseModel):
    """What a server says of a tensor; a length of -1 is any."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def takes(self, shape: tuple[int, ...]) -> bool:
        """True for a shape that is as described."""
        return len(shape) == len(self.shape) and all(
            own in (-1, length) for own, length in zip(self.shape, shape, strict=True)
        )


class Described(BaseModel):
    """What a server says of a model: the part of its metadata that is needed."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def network(path: Path, card: CardFile, runtime: Runtime) -> TritonNetwork:
    """Return the network on the server that a file names; the server decides on the device."""
    if card.explanation and card.explanation.method == GRAD_CAM:
        raise InvalidCardError(f"explanation.method: {GRAD_CAM}; a server gives no gradients")
    if card.device.precision:
        raise InvalidCardError("device.precision: the server computes as it is set up")
    try:
        server = Server.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InvalidCardError(f"{path.name}: " + "; ".join(faults_of(error))) from error
    except ValueError as error:
        raise InvalidCardError(f"{path.name}: {error}") from error
    return TritonNetwork(server, card.weights.tensor_names())


@dataclass(frozen=True)
class TritonNetwork:
    """A model on a server: films go there, pixels only, and logits come back.

    Attributes
    ----------
    names
        What the model calls its tensors; one that is not named has its own name.
    """

    server: Server
    names: Mapping[str, str]
    described: Described = field(init=False, repr=False, compare=False)
    # Of one film, by the name of the output, as the first reply gave it: the card was held against that.
    _shapes: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    # A client belongs to the thread that made it.
    _clients: threading.local = field(init=False, repr=False, compare=False, default_factory=threading.local)

    def __post_init__(self) -> None:
        given = self._asked(lambda client: client.get_model_metadata(self.server.model, self.server.version))
        try:
            object.__setattr__(self, "described", Described.model_validate(given if isinstance(given, Mapping) else {}))
        except ValidationError as error:
            raise InvalidCardError(f"{self._place}: metadata: " + "; ".join(faults_of(error))) from error
        self._require_names()
        self._require_types()

    def _require_names(self) -> None:
        inputs, outputs = ([each.name for each in given] for given in (self.described.inputs, self.described.outputs))
        absent = [name for key, name in self.names.items() if name not in (inputs if key == INPUT else outputs)]
        if inputs != [self._named(INPUT)] or self._named(OUTPUTS[0]) not in outputs or absent:
            rule = f"{INPUT} to {OUTPUTS[0]}, or what [weights.names] calls them"
            raise InvalidCardError(
                f"{self.server.model}: {', '.join(inputs)} to {', '.join(outputs)}; the rule is {rule}"
            )

    def _require_types(self) -> None:
        (films,) = self.described.inputs
        if films.datatype != SENT:
            raise InvalidCardError(f"{self._place}: {films.name}: {films.datatype}; films are sent as {SENT}")
        if self._logits.datatype not in REAL:
            rule = f"the rule is {', '.join(REAL)}"
            raise InvalidCardError(f"{self._place}: {self._logits.name}: {self._logits.datatype}; {rule}")

    @property
    def grid(self) -> Grid | None:
        """Shape of one film or volume, as the server describes it."""
        (films,) = self.described.inputs
        return tuple(each if each > 0 else None for each in films.shape[1:])

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film, as the server describes it."""
        shape = self._logits.shape
        return shape[1] if len(shape) == 2 and shape[1] > 0 else None

    def run(self, films: Floats) -> Outputs:
        """Return what the server says of a batch.

        Raises
        ------
        ModelError
            The server cannot be reached, refuses the batch, or its reply is not what it says of the model.
        """
        batch = triton.InferInput(self._named(INPUT), list(films.shape), SENT)
        batch.set_data_from_numpy(np.ascontiguousarray(films, np.float32))
        keys = {self._named(key): key for key in OUTPUTS}
        given = {keys[each.name]: each for each in self.described.outputs if each.name in keys}
        wanted = [triton.InferRequestedOutput(each.name) for each in given.values()]
        model, version = self.server.model, self.server.version
        result = self._asked(lambda client: client.infer(model, [batch], version, outputs=wanted))
        arrays = {key: self._array(result, each) for key, each in given.items()}
        try:
            outputs = of_films(Outputs(**arrays), len(films), self._place)
        except ValueError as error:
            raise ModelError(str(error)) from error
        self._require_shapes(outputs)
        return outputs

    def _array(self, result: Any, described: Tensor) -> Floats:  # noqa: ANN401 - the client has no types
        """Return an output in a reply."""
        try:
            given = result.as_numpy(described.name)
        except Exception as error:  # whatever breaks on values that are not of the shape and type beside them
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(f"{self._place}: {described.name}: the reply cannot be read: {said}") from error
        if given is None:
            raise ModelError(f"{self._place}: {described.name}: not in the reply; the server describes it")
        if not np.issubdtype(given.dtype, np.floating if described is self._logits else np.number):
            raise ModelError(f"{self._place}: {described.name}: the reply gives {given.dtype}, which tells no score")
        if not described.takes(given.shape):
            rule = f"the server describes {list(described.shape)}"
            raise ModelError(f"{self._place}: {described.name}: shape {list(given.shape)} in the reply; {rule}")
        return np.asarray(given, np.float32)

    def _require_shapes(self, outputs: Outputs) -> None:
        """Raise for outputs of another shape than those of the first reply."""
        for key, given in outputs._asdict().items():
            if given is None:
                continue
            own = given.shape[1:]
            first = self._shapes.setdefault(key, own)
            if own != first:
                rule = f"the first reply gave {list(first)}"
                raise ModelError(f"{self._place}: {self._named(key)}: shape {list(own)} of a film; {rule}")

    @property
    def _logits(self) -> Tensor:
        return next(each for each in self.described.outputs if each.name == self._named(OUTPUTS[0]))

    @property
    def _place(self) -> str:
        return f"{self.server.model} on {self.server.host}:{self.server.port}"

    def _asked(self, question: Callable[[Any], Given]) -> Given:
        """Return an answer of the server."""
        try:
            return question(self._client())
        except Exception as error:  # the client raises its own, those of gevent and those of sockets
            raise ModelError(f"{self._place}: no answer: {str(error) or type(error).__name__}") from error

    def _client(self) -> Any:  # noqa: ANN401 - the client has no types
        if not hasattr(self._clients, "own"):
            limit = self.server.timeout_s
            self._clients.own = triton.InferenceServerClient(
                f"{self.server.host}:{self.server.port}", ssl=self.server.tls, connection_timeout=limit,
                network_timeout=limit,
            )  # fmt: skip
        return self._clients.own

    def _named(self, key: str) -> str:
        return self.names.get(key, key)
