"""What every kind of network can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Network(Protocol):
    """A loaded network; safe to use from several threads at once."""

    @property
    def side(self) -> int | None:
        """Rows and columns that the network takes, None where it takes any."""

    @property
    def findings(self) -> int | None:
        """Number of findings that the network gives, None where it does not say."""

    def run(self, films: Floats) -> tuple[Floats, Floats]:
        """Return logits and maps.

        Parameters
        ----------
        films
            float32, (films, channels, rows, columns).

        Returns
        -------
        logits
            float32, (films, findings).
        maps
            float32, (films, findings, rows, columns): the mean of each is its logit, less the bias.
        """
