"""What every kind of network can do."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Outputs(NamedTuple):
    """What a network gives for a batch.

    Attributes
    ----------
    logits
        float32, (films, outputs).
    cams
        float32, (films, outputs, rows, columns): class activation maps, the mean of each is its logit less the
        bias; None where the network gives none.
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


class Network(Protocol):
    """A loaded network; safe to use from several threads at once."""

    @property
    def side(self) -> int | None:
        """Rows and columns that the network takes, None where it takes any."""

    @property
    def outputs(self) -> int | None:
        """Number of outputs of a film, None where the network does not say."""

    def run(self, films: Floats) -> Outputs:
        """Return what the network says of a batch.

        Parameters
        ----------
        films
            float32, (films, channels, rows, columns); of a volume (films, channels, slices, rows, columns).
        """
