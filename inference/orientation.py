"""How a film lies in its rows and columns, and the way to the upright film and back.

Upright is the film as it is displayed: rows run to the patient's left, columns to the feet. The map back undoes
the same steps in the opposite order, so nothing changes its side.

References
----------
* DICOM Standard, Part 3, C.7.6.1.1.1: Patient Orientation
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.errors import UnsuitableFilmError
from inference.header_terms import quoted_directions

Scalar = TypeVar("Scalar", bound=np.generic)

# PS3.3 C.7.6.1.1.1: anterior and posterior, right and left, head and foot.
AXES: Mapping[str, str] = {"A": "AP", "P": "AP", "R": "RL", "L": "RL", "H": "HF", "F": "HF"}
IN_PLANE = {"RL", "HF"}
AGAINST_UPRIGHT = frozenset("RH")
RULE = "a frontal film has two directions, one of L and R, one of H and F (PS3.3 C.7.6.1.1.1)"


@dataclass(frozen=True)
class Orientation:
    """Where the rows and columns of a stored film run to.

    Attributes
    ----------
    rows, columns
        Direction from the first to the last pixel of a row, and of a column: ``L``, ``R``, ``H`` or ``F``.
    """

    rows: str = "L"
    columns: str = "F"

    def __post_init__(self) -> None:
        if {AXES.get(self.rows), AXES.get(self.columns)} != IN_PLANE:
            raise ValueError(f"orientation: {self.rows}\\{self.columns}; {RULE}")

    @property
    def is_transposed(self) -> bool:
        """True if the rows run along the body."""
        return AXES[self.rows] == "HF"

    @property
    def rows_run_against(self) -> bool:
        """True if the rows run to the right or the head."""
        return self.rows in AGAINST_UPRIGHT

    @property
    def columns_run_against(self) -> bool:
        """True if the columns run to the right or the head."""
        return self.columns in AGAINST_UPRIGHT

    def upright(self, stored: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a stored film, (rows, columns), upright."""
        film = self._flipped(stored)
        return film.T if self.is_transposed else film

    def stored(self, upright: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return an upright film as the source stores it."""
        return self._flipped(upright.T if self.is_transposed else upright)

    def _flipped(self, film: NDArray[Scalar]) -> NDArray[Scalar]:
        return film[:: -1 if self.columns_run_against else 1, :: -1 if self.rows_run_against else 1]

    def upright_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Return rows and columns of the upright film."""
        return (columns, rows) if self.is_transposed else (rows, columns)


def orientation_of(attributes: Mapping[str, str]) -> Orientation:
    """Return how a film with this header lies; upright as it lies where the header does not say.

    Raises
    ------
    UnsuitableFilmError
        `PatientOrientation` is no pair of perpendicular directions of a frontal film (`orientation`).
    """
    directions = directions_of(attributes)
    if not any(directions):
        return Orientation()
    try:
        rows, columns = (leading(direction) for direction in directions)
        return Orientation(rows, columns)
    except ValueError as error:
        raise UnsuitableFilmError("orientation", f"{quoted_directions(directions)}; {RULE}") from error


def directions_of(attributes: Mapping[str, str]) -> list[str]:
    """Return the values of `PatientOrientation`, in capitals; one empty value where it is absent."""
    return [direction.strip() for direction in attributes.get("PatientOrientation", "").upper().split("\\")]


def leading(direction: str) -> str:
    """Return the letter of the principal direction; the letters after it refine it.

    Raises
    ------
    ValueError
        The letters are not one to three of the standard, each of another axis.
    """
    axes = [AXES.get(letter) for letter in direction]
    if not axes or None in axes or len(set(axes)) < len(axes):
        raise ValueError(f"direction: {direction}; one to three of A, P, R, L, H, F, each of another axis")
    return direction[0]
