"""Answers for films that share a batch but no fate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.errors import FilmError, HungError
from inference.models.model import Answer, Model
from inference.models.port import Outputs
from inference.preprocessing import PreparedFilm
from inference.serving.memory import BatchLimit, is_out_of_memory, without_frames
from inference.serving.watchdog import Watchdog

Running = Callable[[Callable[[], Outputs]], Outputs]
# A refusal of the model is a FilmError; any other error is what the network raised for this film by itself.
Outcome = Answer | Exception


@dataclass(frozen=True)
class Named:
    """A prepared film and what it is called, which says nothing of the patient."""

    film: PreparedFilm
    name: str


def here(run: Callable[[], Outputs]) -> Outputs:
    """Run the network in the thread that asks."""
    return run()


@dataclass(frozen=True)
class Attempts:
    """Tries a batch, halves it where memory runs out, and tries its films singly where it fails otherwise.

    Attributes
    ----------
    running
        Where the network runs, and nothing else: what its outputs come to is worked out by the thread that asks.
    """

    model: Model
    watchdog: Watchdog
    limit: BatchLimit
    running: Running = here

    def outcomes(self, films: Sequence[Named]) -> list[Outcome]:
        """Return what each film comes to; never raises for one."""
        given = self._tried(films)
        if not isinstance(given, Exception):
            self.limit.fitted()
            return given
        if len(films) > 1 and is_out_of_memory(given):
            self.limit.failed(len(films))
            middle = len(films) // 2
            return [*self.outcomes(films[:middle]), *self.outcomes(films[middle:])]
        if len(films) > 1 or isinstance(given, HungError):
            return [self._alone(film) for film in films]
        return [given]

    def _alone(self, film: Named) -> Outcome:
        """Return what a film comes to whose batch failed."""
        given = self._tried([film])
        if isinstance(given, HungError):
            return FilmError("hang", "pixels: the network came to no end on this film twice; it will not be read")
        return given if isinstance(given, Exception) else given[0]

    def _tried(self, films: Sequence[Named]) -> list[Outcome] | Exception:
        try:
            outputs = self.running(lambda: self._watched(films))
            return list(self.model.answers(outputs, len(films)))
        except Exception as error:
            # The frames of the traceback hold the very batch that found no room.
            return without_frames(error) if is_out_of_memory(error) else error

    def _watched(self, films: Sequence[Named]) -> Outputs:
        with self.watchdog.watching(self.model.network, [film.name for film in films]):
            return self.model.outputs([film.film for film in films])


def settled(outcome: Outcome) -> Answer | FilmError:
    """Return an answer or a refusal; raise what is neither."""
    if isinstance(outcome, Answer | FilmError):
        return outcome
    raise outcome
