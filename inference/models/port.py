"""What every kind of network can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelError

Floats = NDArray[np.float32]
# Channels and lengths of a grid as a network takes it, None for one that it leaves open.
Grid = tuple[int | None, ...]
# Names of devices; a number counts from 0 those of its kind that the process sees.
DEVICE = r"^(cpu|cuda(:[0-9]{1,3})?)$"


class Outputs(NamedTuple):
    """What a network gives for a batch.

    Attributes
    ----------
    logits
        float32, (films, outputs).
    cams
        float32, (films, outputs, rows, columns), of volumes (films, outputs, slices, rows, columns): class
        activation maps, the mean of each is its logit less the bias; None where the network gives none.
    embedding
        float32, (films, channels): what the last layer sees; None where the network does not give it.
    """

    logits: Floats
    cams: Floats | None = None
    embedding: Floats | None = None

    def of(self, index: int) -> Outputs:
        """Return what belongs to one film of the batch."""
        cams = None if self.cams is None else self.cams[index]
        return Outputs(self.logits[index], cams, None if self.embedding is None else self.embedding[index])

    @property
    def is_finite(self) -> bool:
        """True if every value is a number."""
        return all(np.isfinite(each).all() for each in self if each is not None)


@dataclass(frozen=True)
class Runtime:
    """Where a network runs.

    Attributes
    ----------
    device
        ``cpu``, ``cuda`` or ``cuda:N``; without a number it is the first.
    threads
        Threads within one operation. One is right beside other load: more of them wait for each other.

    Raises
    ------
    ModelError
        The device has another name.
    """

    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        if not re.fullmatch(DEVICE, self.device):
            raise ModelError(f"device: {self.device}; the rule is cpu, cuda or cuda:N")

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """Number of the device among those of its kind."""
        return int(self.device.partition(":")[2] or 0)


class Network(Protocol):
    """A loaded network; safe to use from several threads at once."""

    @property
    def grid(self) -> Grid | None:
        """Shape of one film, (channels, rows, columns), or volume; None where it is known only when it is run."""

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film; None where it is known only when it is run."""

    def run(self, films: Floats) -> Outputs:
        """Return what the network says of a batch.

        Parameters
        ----------
        films
            float32, (films, channels, rows, columns); of a volume (films, channels, slices, rows, columns).

        Raises
        ------
        ModelError
            The device, its driver or the server is gone, or the network does not take the batch.
        """


def named_outputs(values: list[Floats], films: int, source: str) -> Outputs:
    """Return what a program gives in order: logits, then maps and embedding if it has them.

    Raises
    ------
    ValueError
        They have not the dimensions of these.
    """
    if not 1 <= len(values) <= 3:
        raise ValueError(f"{source}: {len(values)} outputs; the rule is logits, maps and embedding in this order")
    return of_films(Outputs(*values), films, source)


def of_films(outputs: Outputs, films: int, source: str) -> Outputs:
    """Return outputs with a row for each film; logits may come without an axis for one output or one film.

    Raises
    ------
    ValueError
        An output has not the dimensions of its kind, or another number of rows.
    """
    logits = by_film(outputs.logits, films)
    if logits.ndim != 2 or len(logits) != films:
        raise ValueError(f"{source}: logits of shape {logits.shape} for {films} films; the rule is (films, outputs)")
    for name, given in outputs._asdict().items():
        if name != "logits" and given is not None and given.shape[:1] != (films,):
            raise ValueError(f"{source}: {name} of shape {given.shape} for {films} films; each has its own")
    return outputs._replace(logits=logits)


def by_film(logits: Floats, films: int) -> Floats:
    """Return logits, (films, outputs), of what may come without an axis for one output or one film."""
    return logits.reshape(films, -1) if logits.ndim < 2 and logits.size % films == 0 else logits
