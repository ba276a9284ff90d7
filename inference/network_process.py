"""A model whose network runs in a process of its own: one that ends there, or never ends, ends nothing else.

For whoever has no supervisor that starts it again; the node's workers have one (`inference.serving.watchdog`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.errors import HungError, ModelError
from inference.isolation import new_pool
from inference.models import Model, VolumeModel, load_any
from inference.models.check import faults_of_folder
from inference.models.port import Grid, Outputs
from inference.pools import NoEndError, end_pool, result_within

AnyModel = Model | VolumeModel
Floats = NDArray[np.float32]
Given = TypeVar("Given")
Place = tuple[Path, str, int]
"""Model folder, device, threads."""

# The largest networks are captured and measured on a device in less.
LOADING_S = 600.0


@dataclass(frozen=True)
class Declared:
    """What a network says of itself, without the network, which cannot leave its process."""

    grid: Grid | None
    outputs: int | None

    def run(self, films: Floats) -> Outputs:
        """Raise: the network is elsewhere."""
        raise ModelError(f"{len(films)} films: the network runs in another process")


@cache  # of the process that runs the network
def loaded(place: Place) -> AnyModel:
    """Return the model in a folder."""
    return load_any(*place)


def described(place: Place) -> AnyModel:
    """Return a model without its network; raises ModelError where it does not answer its golden film rightly."""
    model = loaded(place)
    # Here and not where every model is loaded: the node asks by itself, and again, and a new film may be recorded.
    if fault := model.golden_fault():
        raise ModelError(f"{place[0]}: {fault}")
    declared: Any = Declared(model.network.grid, model.network.outputs)
    return replace(model, network=declared)


def outputs_of(place: Place, films: Floats) -> Outputs:
    """Return what the network of a folder says of a batch."""
    return loaded(place).network.run(films)


@dataclass
class NetworkProcess:
    """A network in a process of its own, which is replaced when a film ends it or keeps it longer than the limit."""

    place: Place
    limit_s: float
    grid: Grid | None = None
    outputs: int | None = None
    pool: ProcessPoolExecutor | None = field(default=None, init=False)

    def load(self) -> AnyModel:
        """Start the process and return the model, its network being this one.

        Raises
        ------
        ModelError
            As `load_any`; also a wrong answer to the golden film, and a network that ends the process or does not
            answer while it is loaded.
        """
        try:
            model = self._asked(described, LOADING_S)
        except HungError as error:
            raise ModelError(f"{self.place[0]}: not loaded after {LOADING_S:g} s; its process was ended") from error
        except ModelError:  # whoever asks again asks for the golden film again too
            self.close()
            raise
        self.grid, self.outputs = model.network.grid, model.network.outputs
        network: Any = self
        return replace(model, network=network)

    def run(self, films: Floats) -> Outputs:
        """Return what the network says of a batch.

        Raises
        ------
        HungError
            It came to no end, and was ended.
        ModelError
            It failed, or ended its process.
        """
        if self.pool is None:
            self.load()
        return self._asked(outputs_of, self.limit_s, films)

    def close(self) -> None:
        """End the process."""
        if self.pool is not None:
            end_pool(self.pool)
            self.pool = None

    def _asked(self, work: Callable[..., Given], limit_s: float, *given: object) -> Given:
        self.pool = self.pool or new_pool()
        try:
            return result_within(self.pool.submit(work, self.place, *given), limit_s)
        except BrokenProcessPool as error:
            self.close()
            raise ModelError(f"{self.place[0].name}: the network ended its process") from error
        except NoEndError as error:
            self.close()
            reason = f"network: not at its end after {limit_s:g} s; its process was ended"
            raise HungError(reason) from error


def faults_apart(folder: Path, device: str, limit_s: float = LOADING_S) -> list[str]:
    """Return what is wrong with a model folder, all at once, also that its network ends its process or never ends."""
    pool = new_pool()
    try:
        return result_within(pool.submit(faults_in, folder, device), limit_s)
    except BrokenProcessPool:
        return [f"{folder}: the network ended the process that tried it"]
    except NoEndError:
        return [f"{folder}: the network came to no end in {limit_s:g} s"]
    finally:
        end_pool(pool)


def faults_in(folder: Path, device: str) -> list[str]:
    """Return what is wrong with a model folder, all at once."""
    return list(faults_of_folder(folder, device))


@contextmanager
def isolated(folder: Path, device: str, threads: int, limit_s: float) -> Iterator[AnyModel]:
    """Give the model in a folder, its network in a process that ends with the block; raises ModelError."""
    process = NetworkProcess((folder, device, threads), limit_s)
    try:
        yield process.load()
    finally:
        process.close()
