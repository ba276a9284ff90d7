"""Decoding in a process of its own: some damaged files end the process that decodes them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from inference.allocator import keep_freed_memory
from inference.errors import UnreadablePixelsError
from inference.film import content_of, data_set, read_film
from inference.guard import Guard
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.projection import allowed_attributes
from inference.volume_preprocessing import PreparedVolume, VolumePreprocessing

Prepared = TypeVar("Prepared")


def prepared_film(file: Path, guard: Guard, preprocessing: Preprocessing) -> PreparedFilm:
    """Return the film in a file on the grid of a model.

    Raises
    ------
    FilmError
        The film cannot or must not be read.
    """
    film = read_film(file)
    refusal = guard.refusal(film.attributes)
    if refusal:
        raise refusal
    return preprocessing.prepare(film)


def prepared_series(files: Sequence[Path], guard: Guard, preprocessing: VolumePreprocessing) -> PreparedVolume:
    """Return the series in files on the grid of a model of volumes.

    Raises
    ------
    FilmError
        The series cannot or must not be read.
    """
    slices = [data_set(content_of(file)) for file in files]
    for each in slices:
        if refusal := guard.refusal(allowed_attributes(each)):
            raise refusal
    return preprocessing.prepare(slices)


def new_pool() -> ProcessPoolExecutor:
    """Return a pool of one process that shares no memory with this one."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), keep_freed_memory)


@dataclass
class DecodeProcess:
    """One process that prepares films; replaced when a file ends it."""

    pool: ProcessPoolExecutor = field(default_factory=new_pool)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[DecodeProcess]:
        """Run the process until the block ends."""
        process = cls()
        try:
            yield process
        finally:
            process.pool.shutdown()

    def prepared(self, file: Path, guard: Guard, preprocessing: Preprocessing) -> PreparedFilm:
        """Return the film in a file on the grid of a model.

        Raises
        ------
        FilmError
            As `prepared_film`; also a file that ended the process (`pixels`).
        """
        return self._run(prepared_film, file, guard, preprocessing)

    def prepared_series(
        self, files: Sequence[Path], guard: Guard, preprocessing: VolumePreprocessing
    ) -> PreparedVolume:
        """Return the series in files on the grid of a model of volumes; raises as `prepared`."""
        return self._run(prepared_series, files, guard, preprocessing)

    def _run(self, prepare: Callable[..., Prepared], *given: object) -> Prepared:
        try:
            return self.pool.submit(prepare, *given).result()
        except BrokenProcessPool as error:
            self.pool = new_pool()
            raise UnreadablePixelsError("pixels", "PixelData: damaged; it ended its decoder") from error
