"""Films that a model knows: what a new one is like, and whether it is like any of them.

References
----------
* Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018: Mahalanobis
  distance of embeddings
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidCardError
from inference.types import Familiarity, ReferenceCase

Floats = NDArray[np.float32]

NEAREST = 3


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
    """

    embeddings: Floats
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    mean: Floats
    whitening: Floats
    limit: float

    @classmethod
    def load(cls, path: Path) -> Atlas:
        """Return the atlas in a file.

        Raises
        ------
        InvalidCardError
            The file is no atlas.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                embeddings = arrays["embeddings"].astype(np.float32)
                labels, sources = (tuple(map(str, arrays[name])) for name in ("labels", "sources"))
                mean, whitening, limit = (arrays[name] for name in ("mean", "whitening", "limit"))
                return cls(embeddings, labels, sources, mean, whitening, float(limit))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InvalidCardError(f"{path}: no atlas ({error})") from error

    def save(self, path: Path) -> None:
        """Write the atlas."""
        np.savez_compressed(
            path, embeddings=self.embeddings.astype(np.float16), labels=np.array(self.labels),
            sources=np.array(self.sources), mean=self.mean, whitening=self.whitening,
            limit=np.float64(self.limit),
        )  # fmt: skip

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
