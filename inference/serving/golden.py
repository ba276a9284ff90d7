"""A film whose answer is known: what a device says of it shows whether the device can be believed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from inference.errors import FilmError, InvalidCardError
from inference.geometry import Geometry
from inference.preprocessing import PreparedFilm
from inference.whole_files import replaced

if TYPE_CHECKING:
    from inference.models.model import Answer, Model

Floats = NDArray[np.float32]

# Devices and precisions differ by less than 0.001 in a score, faulty ones by more than this.
TOLERANCE = 0.01
# A map is finer than what it shows: a neighbouring cell is the same place.
CELLS = 1


@dataclass(frozen=True)
class Golden:
    """A prepared film and the answer to it.

    Attributes
    ----------
    tensor
        float32, (channels, rows, columns), normalised.
    scores
        float32, (findings,).
    peaks
        int64, (findings, 2): row and column of the highest value of each map; (0, 2) where there are no maps.
    tolerance
        Greatest difference of a score that is no fault.
    """

    tensor: Floats
    scores: Floats
    peaks: NDArray[np.int64]
    tolerance: float = TOLERANCE

    @classmethod
    def record(cls, model: Model, film: PreparedFilm) -> Golden:
        """Return a film with what the model says of it now.

        Raises
        ------
        FilmError
            The model refuses the film.
        """
        (answer,) = model.predict([film])
        if isinstance(answer, FilmError):
            raise answer
        return cls(film.tensor, answer.scores, peaks_of(answer))

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Return the golden film in a file.

        Raises
        ------
        InvalidCardError
            The file is no golden film.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                golden = cls(arrays["tensor"], arrays["scores"], arrays["peaks"], float(arrays["tolerance"]))
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            rule = "`python -m inference golden` writes one"
            raise InvalidCardError(f"{path.name}: no golden film ({type(error).__name__}); {rule}") from error
        if golden.tensor.ndim != 3 or golden.tensor.dtype != np.float32:
            found = f"{golden.tensor.dtype} of shape {golden.tensor.shape}"
            raise InvalidCardError(f"{path.name}: tensor: {found}; a golden film is float32 (channels, rows, columns)")
        return golden

    def save(self, path: Path) -> None:
        """Write the golden film, whole or not at all."""
        with replaced(path) as part:
            self.write(part)

    def write(self, path: Path) -> None:
        """Write the golden film as it comes."""
        with path.open("wb") as file:
            np.savez_compressed(
                file, tensor=self.tensor, scores=self.scores, peaks=self.peaks, tolerance=np.float64(self.tolerance)
            )

    @property
    def film(self) -> PreparedFilm:
        """The film, to be asked for like any other."""
        rows, columns = self.tensor.shape[1:]
        return PreparedFilm(self.tensor, Geometry.fit((rows, columns), rows), {})

    def mismatch(self, answer: Answer | FilmError) -> str | None:
        """Return how an answer differs from the known one, None where it does not."""
        if isinstance(answer, FilmError):
            return f"golden film: refused ({answer.code}), {answer.reason}"
        if answer.scores.shape != self.scores.shape:
            return f"golden film: {len(answer.scores)} scores; the file has {len(self.scores)}"
        difference = float(np.abs(answer.scores - self.scores).max())
        if not difference <= self.tolerance:
            return f"golden film: a score differs by {difference:.4f}; at most {self.tolerance} is allowed"
        peaks = peaks_of(answer)
        if peaks.shape != self.peaks.shape:
            return f"golden film: {len(peaks)} maps; the file has {len(self.peaks)}"
        moved = int(np.abs(peaks - self.peaks).max(initial=0))
        if moved > CELLS:
            return f"golden film: the peak of a map lies {moved} cells away; at most {CELLS} is allowed"
        return None


def peaks_of(answer: Answer) -> NDArray[np.int64]:
    """Return row and column of the highest value of each map, (findings, 2); (0, 2) without maps."""
    if answer.cams is None:
        return np.zeros((0, 2), np.int64)
    places = [np.unravel_index(int(cam.argmax()), cam.shape) for cam in answer.cams]
    return np.array(places, np.int64)
