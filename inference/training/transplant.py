"""Opacities that radiologists boxed, put on films that have none.

There are few films with boxes, and a network soon knows each by heart. On ever other films it has to know the
opacity. That a region comes from elsewhere must not give it away: as often, the same region of a film without
opacity is put there, which changes nothing.

References
----------
* Yun et al., CutMix, ICCV 2019; Ghiasi et al., Simple Copy-Paste, CVPR 2021
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.film_folder import ADULTS, LabelledFilm

Floats = NDArray[np.float32]

# Of the side of a film: how soft the edge of a transplant is.
SOFTNESS = 0.025


class Example(NamedTuple):
    """A film as it is learned.

    Attributes
    ----------
    film, boxed
        float32, (rows, columns): the film, and 1.0 inside radiologists' boxes.
    target
        Probability of the finding.
    """

    film: Floats
    boxed: Floats
    target: float


@dataclass(frozen=True)
class Transplant:
    """How often a region is put on a film without opacity.

    Attributes
    ----------
    share
        Of the adults' films without opacity that get a region of another film.
    diseased
        Of these, how many get an opacity.
    """

    share: float
    diseased: float = 0.5

    def suits(self, film: LabelledFilm, random: np.random.Generator) -> bool:
        """True if a film is to get a region."""
        return film.population == ADULTS and film.target < 0.5 and random.random() < self.share

    def put(self, onto: Example, opacity: Example, clear: Example, random: np.random.Generator) -> Example:
        """Return a film with the boxed region of one donor.

        Parameters
        ----------
        opacity
            Film with boxes; it says where the region lies, whoever gives it.
        clear
            Film without opacity.
        """
        if onto.film.shape != opacity.film.shape or onto.film.shape != clear.film.shape:
            return onto
        softness = SOFTNESS * onto.film.shape[0]
        share = np.asarray(cv2.GaussianBlur(opacity.boxed, (0, 0), softness), np.float32)
        if random.random() < self.diseased:
            return Example(blended(onto.film, opacity.film, share), opacity.boxed, 1.0)
        return onto._replace(film=blended(onto.film, clear.film, share))


def blended(film: Floats, donor: Floats, share: Floats) -> Floats:
    """Return a film with a share of the donor at each pixel."""
    return np.asarray(film * (np.float32(1.0) - share) + donor * share, np.float32)
