"""From the file of an instance to a film on the grid of a model, in a decoding process.

Models that want their films alike share the work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from dicom_node.deidentify.projection import projection
from dicom_node.errors import is_from_machine
from dicom_node.preprocess.decoders import Decoders
from inference.deflated import read_instance
from inference.errors import FilmError
from inference.film import display_pixels, require_film, to_radiograph
from inference.guard import Guard
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.projection import allowed_attributes
from structured_reports.port import Refusal

P = ParamSpec("P")
R = TypeVar("R")

# Models read the same films at nearly the same time: the one that is behind finds the last few.
MOST_SHARED = 8


@dataclass(frozen=True)
class Film:
    """A decoded film, ready for a model and for a page."""

    prepared: PreparedFilm
    display: NDArray[np.uint8]


@dataclass(frozen=True)
class Judge:
    """The part of a model that a decoding process needs: it judges headers and prepares pixels."""

    preprocessing: Preprocessing
    guard: Guard


def open_film(path: Path, judge: Judge) -> Film | Refusal:
    """Return the film in a file, or why a model may not read it; runs in a decoding process."""
    try:
        # The header first: a series of the wrong kind costs no decoding.
        header = read_instance(path, stop_before_pixels=True)
        if refused := judge.guard.refusal(allowed_attributes(projection(header))):
            raise refused
        require_film(header)
        radiograph = to_radiograph(projection(read_instance(path)))
        return Film(judge.preprocessing.prepare(radiograph), display_pixels(radiograph))
    except FilmError as error:
        return Refusal(error.code, error.reason)
    except Exception as error:
        if is_from_machine(error):
            raise  # the study is read again later
        # pydicom raises nearly anything on a broken file. The kind of error names no value of it.
        return Refusal("pixels", f"the instance cannot be decoded ({type(error).__name__})")


class Openings:
    """Films that were just decoded.

    Parameters
    ----------
    kept
        How many are held for another model; 0 where there is none.
    """

    def __init__(self, decoders: Decoders, kept: int = MOST_SHARED) -> None:
        self._decoders = decoders
        self._most = kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, Judge], Future[Film | Refusal]] = OrderedDict()

    def film(self, path: Path, judge: Judge) -> Film | Refusal:
        """Return the film in a file, or why a model may not read it.

        Raises
        ------
        DecoderDiedError
            The file killed its decoder twice.
        OSError
            The disk, not the instance.
        """
        opened, is_first = self._entry((path, judge))
        if is_first:
            self._open(opened, path, judge)
        return opened.result()

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what a function returns in a decoding process, shared with nobody; raises as `film`."""
        return self._decoders.run(work, *args, **kwargs)

    def _entry(self, key: tuple[Path, Judge]) -> tuple[Future[Film | Refusal], bool]:
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                return known, False
            opened: Future[Film | Refusal] = Future()
            self._kept[key] = opened
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return opened, True

    def _open(self, opened: Future[Film | Refusal], path: Path, judge: Judge) -> None:
        try:
            opened.set_result(self._decoders.run(open_film, path, judge))
        except BaseException as error:
            # Whoever asks next shall try anew.
            with self._lock:
                self._kept.pop((path, judge), None)
            opened.set_exception(error)
