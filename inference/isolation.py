"""Decoding in a process of its own: some damaged files end the process that decodes them, or keep it for ever."""

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
from inference.child_process import end_with_parent, leave_standard_output
from inference.deflated import read_instance
from inference.errors import HANG, UNREADABLE, DecoderError, FilmError, UnreadablePixelsError
from inference.film import content_of, data_set, read_film
from inference.guard import Guard
from inference.pools import NoEndError, end_pool, result_within, widened
from inference.preprocessing import PreparedFilm, Preprocessing
from inference.series import require_series
from inference.silence import silence_pydicom
from inference.volume_preprocessing import PreparedVolume, VolumePreprocessing

Given = TypeVar("Given")

# No film takes so long; what does has no end, or is made to have none.
LIMIT_S = 120.0
# A loaded machine imports the libraries in less.
START_S = 120.0


def prepared_film(file: Path, guard: Guard, preprocessing: Preprocessing) -> PreparedFilm:
    """Return the film in a file on the grid of a model.

    Raises
    ------
    FilmError
        The film cannot or must not be read.
    """
    return preprocessing.prepare(read_film(file, guard))


def prepared_series(files: Sequence[Path], guard: Guard, preprocessing: VolumePreprocessing) -> PreparedVolume:
    """Return the series in files on the grid of a model of volumes.

    Raises
    ------
    FilmError
        The series cannot or must not be read.
    """
    slices = [data_set(content_of(file)) for file in files]
    require_series(slices, guard)
    return preprocessing.prepare(slices)


def series_of(file: Path) -> str:
    """Return the SeriesInstanceUID of a file.

    Raises
    ------
    FilmError
        There is none (`format`), its header inflates to more than one has bytes (`pixels`), or it cannot be opened
        (`unreadable`).
    """
    try:
        header = read_instance(file, force=True, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        uid = str(header.get("SeriesInstanceUID") or "")
    except (FilmError, MemoryError):
        raise
    except OSError as error:
        raise UnreadablePixelsError(UNREADABLE, f"file: {error.strerror}") from error
    except Exception as error:  # the parser raises anything on bytes that are not DICOM
        raise UnreadablePixelsError("format", f"file: no DICOM data set ({type(error).__name__})") from error
    if not uid:
        raise UnreadablePixelsError("format", "SeriesInstanceUID: absent; a volume is a series of DICOM slices")
    return uid


def begin() -> None:
    """Set up a process that reads films or runs a network."""
    end_with_parent()
    leave_standard_output()
    silence_pydicom()
    keep_freed_memory()


def answer() -> None:
    """Do nothing: whoever waits for it knows that the process has started."""


def new_pool() -> ProcessPoolExecutor:
    """Return a pool of one process that shares no memory with this one."""
    return widened(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin))


@dataclass
class DecodeProcess:
    """One process that prepares films; replaced when a file ends it or keeps it longer than the limit."""

    limit_s: float = LIMIT_S
    pool: ProcessPoolExecutor = field(default_factory=new_pool)
    started: bool = field(default=False, init=False)

    @classmethod
    @contextmanager
    def running(cls, limit_s: float = LIMIT_S) -> Iterator[DecodeProcess]:
        """Run the process until the block ends."""
        process = cls(limit_s)
        try:
            yield process
        except BaseException:
            end_pool(process.pool)  # it may be at work on what has no end
            raise
        process.pool.shutdown()

    def prepared(self, file: Path, guard: Guard, preprocessing: Preprocessing) -> PreparedFilm:
        """Return the film in a file on the grid of a model.

        Raises
        ------
        FilmError
            As `prepared_film`; also a file that ended the process (`pixels`), or kept it beyond the limit (`hang`).
        """
        return self._run("PixelData", prepared_film, file, guard, preprocessing)

    def prepared_series(
        self, files: Sequence[Path], guard: Guard, preprocessing: VolumePreprocessing
    ) -> PreparedVolume:
        """Return the series in files on the grid of a model of volumes; raises as `prepared`."""
        return self._run("PixelData", prepared_series, files, guard, preprocessing)

    def series_of(self, file: Path) -> str:
        """Return the SeriesInstanceUID of a file; raises as `prepared`, and where there is none (`format`)."""
        return self._run("file", series_of, file)

    def _run(self, part: str, work: Callable[..., Given], *given: object) -> Given:
        self._start()
        try:
            return result_within(self.pool.submit(work, *given), self.limit_s)
        except BrokenProcessPool as error:
            self._renew()
            raise UnreadablePixelsError("pixels", f"{part}: damaged; it ended its decoder") from error
        except NoEndError as error:
            self._renew()
            reason = f"{part}: not decoded after {self.limit_s:g} s; its decoder was ended"
            raise UnreadablePixelsError(HANG, reason) from error

    def _start(self) -> None:
        """Wait for a process that is still to start, which takes seconds: neither they nor its failure are a file's."""
        if self.started:
            return
        try:
            result_within(self.pool.submit(answer), START_S)
        except (BrokenProcessPool, NoEndError) as error:
            self._renew()
            raise DecoderError(f"decoder: its process did not start within {START_S:g} s, or ended there") from error
        self.started = True

    def _renew(self) -> None:
        end_pool(self.pool)
        self.pool, self.started = new_pool(), False
