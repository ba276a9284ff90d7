"""A model on a Triton server, or another that speaks the KServe v2 protocol over HTTP.

References
----------
* Open Inference Protocol (KServe v2), HTTP/REST, with the binary tensor data extension
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from inference.card import CardFile
from inference.card_faults import faults_of
from inference.card_sections import GRAD_CAM, Section
from inference.errors import InvalidCardError, ModelError
from inference.models.port import Grid, Outputs, Runtime

Floats = NDArray[np.float32]

INPUT, OUTPUTS = "films", ("logits", "cams", "embedding")


class Server(Section):
    """The file that a card of this kind names: where the model is."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    tls: bool = False
    model: Annotated[str, Field(min_length=1)]
    version: str = ""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0


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
    described: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    # A client belongs to the thread that made it.
    _clients: threading.local = field(init=False, repr=False, compare=False, default_factory=threading.local)

    def __post_init__(self) -> None:
        given = self._asked(lambda client: client.get_model_metadata(self.server.model, self.server.version))
        object.__setattr__(self, "described", given)
        inputs, outputs = ([each["name"] for each in given.get(key, [])] for key in ("inputs", "outputs"))
        absent = [name for key, name in self.names.items() if name not in (inputs if key == INPUT else outputs)]
        if inputs != [self._named(INPUT)] or self._named(OUTPUTS[0]) not in outputs or absent:
            rule = f"{INPUT} to {OUTPUTS[0]}, or what [weights.names] calls them"
            raise InvalidCardError(
                f"{self.server.model}: {', '.join(inputs)} to {', '.join(outputs)}; the rule is {rule}"
            )

    @property
    def grid(self) -> Grid | None:
        """Shape of one film or volume, as the server describes it."""
        (described,) = self.described["inputs"]
        return tuple(int(each) if int(each) > 0 else None for each in described["shape"][1:])

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film, as the server describes it."""
        (shape,) = (each["shape"] for each in self.described["outputs"] if each["name"] == self._named(OUTPUTS[0]))
        return int(shape[1]) if len(shape) == 2 and int(shape[1]) > 0 else None

    def run(self, films: Floats) -> Outputs:
        """Return what the server says of a batch.

        Raises
        ------
        ModelError
            The server cannot be reached, or refuses the batch.
        """
        batch = triton.InferInput(self._named(INPUT), list(films.shape), "FP32")
        batch.set_data_from_numpy(np.ascontiguousarray(films, np.float32))
        there = {each["name"] for each in self.described["outputs"]}
        given = {key: self._named(key) for key in OUTPUTS if self._named(key) in there}
        wanted = [triton.InferRequestedOutput(name) for name in given.values()]
        model, version = self.server.model, self.server.version
        result = self._asked(lambda client: client.infer(model, [batch], version, outputs=wanted))
        return Outputs(**{key: np.asarray(result.as_numpy(name), np.float32) for key, name in given.items()})

    def _asked(self, question: Any) -> Any:  # noqa: ANN401 - the client has no types
        """Return an answer of the server."""
        try:
            return question(self._client())
        except Exception as error:  # the client raises its own, those of gevent and those of sockets
            place, said = f"{self.server.host}:{self.server.port}", str(error) or type(error).__name__
            raise ModelError(f"{self.server.model} on {place}: no answer: {said}") from error

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
