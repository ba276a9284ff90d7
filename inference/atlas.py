"""Films that a model knows: what a new one is like, and whether it is like any of them.

References
----------
* Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018: Mahalanobis
  distance of embeddings
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from inference.errors import NOT_FRONTAL, UNFAMILIAR, InvalidCardError, UnsuitableFilmError
from inference.types import Familiarity, ReferenceCase

Floats = NDArray[np.float32]

NEAREST = 3


@dataclass(frozen=True)
class ViewCheck:
    """Whether an embedding is that of a frontal chest film as it hangs, or of a part, a negative or a turned one.

    Distance alone cannot say so: half a film looks as chest films do, and a good film of another hospital may lie
    farther away than a negative.

    Attributes
    ----------
    direction, bias
        float32, (numbers,), and one number: direction · embedding + bias is above 0 for a frontal chest film.
    """

    direction: Floats
    bias: float

    def score(self, embedding: Floats) -> float:
        """Return how surely an embedding, (numbers,), is that of a frontal chest film: logit, above 0 if so."""
        return float(embedding @ self.direction) + self.bias


@dataclass(frozen=True)
class Atlas:
    """Reference cases by the embedding of one network, and how far films that are no such films lie away.

    Attributes
    ----------
    embeddings
        float32, (cases, channels), of length one: those channels of an embedding that come first.
    labels, sources
        Of each case.
    mean, whitening
        float32, (numbers,) and (numbers, directions): a whole embedding less the mean, times the whitening, is
        as long as it is unusual.
    limit
        Greatest length of a film that the model accepts.
    view
        None where films of every view are read.
    """

    embeddings: Floats
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    mean: Floats
    whitening: Floats
    limit: float
    view: ViewCheck | None = None

    @classmethod
    def load(cls, path: Path) -> Atlas:
        """Return the atlas in a file.

        Raises
        ------
        InvalidCardError
            The file is no atlas, or its arrays do not belong together.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                embeddings = arrays["embeddings"].astype(np.float32)
                labels, sources = (tuple(map(str, arrays[name])) for name in ("labels", "sources"))
                mean, whitening, limit = (arrays[name] for name in ("mean", "whitening", "limit"))
                view = ViewCheck(arrays["view"][:-1], float(arrays["view"][-1])) if "view" in arrays else None
                atlas = cls(embeddings, labels, sources, mean, whitening, float(limit), view)
                faults = list(atlas.faults())
        except (OSError, ValueError, TypeError, LookupError, EOFError, BadZipFile, zlib.error) as error:
            raise InvalidCardError(
                f"{path.name}: no atlas: damaged, or another file ({type(error).__name__})"
            ) from error
        if faults:
            raise InvalidCardError("; ".join(f"{path.name}: {fault}" for fault in faults))
        return atlas

    def faults(self) -> Iterator[str]:
        """Yield which arrays cannot be those of one atlas."""
        cases, numbers = len(self.embeddings), self.mean.size
        if self.embeddings.ndim != 2 or not cases or not 0 < self.embeddings.shape[1] <= numbers:
            yield f"embeddings: shape {self.embeddings.shape}; one case or more, of 1 to {numbers} channels"
        if self.mean.ndim != 1:
            yield f"mean: shape {self.mean.shape}; one number for each of an embedding"
        for name, told in (("labels", self.labels), ("sources", self.sources)):
            if len(told) != cases:
                yield f"{name}: {len(told)}; there are {cases} embeddings, and each has one"
        if self.whitening.ndim != 2 or len(self.whitening) != numbers or not self.whitening.size:
            yield f"whitening: shape {self.whitening.shape}; it has a row for each of the {numbers} numbers of the mean"
        if self.view is not None and self.view.direction.shape != self.mean.shape:
            yield f"view: {self.view.direction.size} numbers and a bias; the mean has {numbers}"
        if not (math.isfinite(self.limit) and self.limit > 0.0):
            yield f"limit: {self.limit}; a finite length above 0"
        arrays = {"embeddings": self.embeddings, "mean": self.mean, "whitening": self.whitening}
        if self.view is not None:
            arrays["view"] = np.append(self.view.direction, self.view.bias)
        yield from (f"{name}: a value is not finite" for name, each in arrays.items() if not np.isfinite(each).all())

    def save(self, path: Path) -> None:
        """Write the atlas."""
        arrays: dict[str, NDArray[Any]] = {
            "embeddings": self.embeddings.astype(np.float16),
            "labels": np.array(self.labels),
            "sources": np.array(self.sources),
            "mean": self.mean,
            "whitening": self.whitening,
            "limit": np.array(self.limit, np.float64),
        }
        if self.view is not None:
            arrays["view"] = np.append(self.view.direction, np.float32(self.view.bias))
        np.savez_compressed(path, allow_pickle=False, **arrays)

    def refusal(self, embedding: Floats, familiarity: Familiarity) -> UnsuitableFilmError | None:
        """Return why a film with this embedding, (numbers,), and its familiarity is not read; None if it is."""
        score = 1.0 if self.view is None else self.view.score(embedding)
        if score <= 0.0:
            return UnsuitableFilmError(
                NOT_FRONTAL, f"pixels: not a whole frontal chest film as it hangs (view score {score:.2f}; above 0 is)"
            )
        return None if familiarity.is_known else UnsuitableFilmError(UNFAMILIAR, familiarity.reason)

    def familiarity(self, embedding: Floats) -> Familiarity:
        """Return how like a film with this embedding, (numbers,), is to the films of the atlas."""
        distance = self.length(embedding) / self.limit
        reason = f"pixels: {distance:.2f} times as far from the films that the model knows as it accepts"
        return Familiarity(round(distance, 4), reason, self.nearest(embedding))

    def length(self, embedding: Floats) -> float:
        """Return how unusual an embedding is."""
        return float(np.linalg.norm((embedding - self.mean) @ self.whitening))

    def nearest(self, embedding: Floats) -> tuple[ReferenceCase, ...]:
        """Return the most similar cases, most similar first."""
        similarities = self.embeddings @ unit(embedding[: self.embeddings.shape[1]])
        order = np.argsort(-similarities, kind="stable")[:NEAREST]
        return tuple(
            ReferenceCase(self.sources[each], self.labels[each], round(float(similarities[each]), 4)) for each in order
        )


def unit(embedding: Floats) -> Floats:
    """Return embeddings, (..., channels), in length one."""
    length = np.linalg.norm(embedding, axis=-1, keepdims=True)
    return np.asarray(embedding / np.maximum(length, 1e-12), np.float32)
