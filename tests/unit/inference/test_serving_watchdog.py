"""A network that comes to no end is ended, and at the second time its film is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.errors import FilmError, HungError
from inference.film import read_film
from inference.models import Answer, Model
from inference.models.port import Outputs
from inference.preprocessing import PreparedFilm
from inference.serving.attempts import Attempts, Named
from inference.serving.memory import BatchLimit
from inference.serving.watchdog import EXIT_STATUS, Watchdog

LIMIT_S = 0.2


class SleepingNetwork:
    """A network that never ends on films that are brighter than 0.5; it can be ended, as ONNX Runtime can."""

    grid = outputs = None

    def __init__(self) -> None:
        self.ended: dict[int, threading.Event] = {}

    def run(self, films: np.ndarray) -> Outputs:
        ended = self.ended[threading.get_ident()] = threading.Event()
        if films.max() > 0.5:
            assert ended.wait(30)
            raise RuntimeError("Exiting due to terminate flag being set to true.")
        return Outputs(np.zeros((len(films), 1), np.float32))

    def end(self, thread: int) -> None:
        self.ended[thread].set()


@pytest.fixture
def prepared(model: Model, clinical_film: Path) -> PreparedFilm:
    return model.prepare(read_film(clinical_film))


def never(names: Sequence[str]) -> None:
    raise AssertionError(f"the process need not end: {names}")


def test_a_run_of_onnx_runtime_is_ended_between_two_operations(model: Model) -> None:
    side = model.preprocessing.side
    films = np.zeros((512, 1, side, side), np.float32)
    dog = Watchdog(never, limit_s=LIMIT_S, grace_s=60.0)
    begun = time.monotonic()
    try:
        with pytest.raises(HungError, match=r"not at its end after 0\.2 s"), dog.watching(model.network, ["batch"]):
            while time.monotonic() < begun + 60:
                model.network.run(films)
    finally:
        dog.close()

    assert np.isfinite(model.network.run(films[:1]).logits).all(), "the session goes on"


def test_a_film_that_hangs_twice_is_refused_and_its_neighbours_are_not(model: Model, prepared: PreparedFilm) -> None:
    dog = Watchdog(never, limit_s=LIMIT_S, grace_s=60.0)
    attempts = Attempts(replace(model, network=SleepingNetwork(), atlas=None), dog, BatchLimit(8))
    dark, bright = (replace(prepared, tensor=np.full_like(prepared.tensor, level)) for level in (0.0, 1.0))

    outcomes = attempts.outcomes([Named(dark, "a"), Named(bright, "b"), Named(dark, "c")])
    dog.close()

    assert [Answer, FilmError, Answer] == [type(each) for each in outcomes]
    assert "hang" == outcomes[1].code


def test_a_film_that_hangs_alone_is_tried_once_more(model: Model, prepared: PreparedFilm) -> None:
    dog = Watchdog(never, limit_s=LIMIT_S, grace_s=60.0)
    attempts = Attempts(replace(model, network=SleepingNetwork(), atlas=None), dog, BatchLimit(1))
    begun = time.monotonic()

    (outcome,) = attempts.outcomes([Named(replace(prepared, tensor=np.ones_like(prepared.tensor)), "a")])
    dog.close()

    assert "hang" == outcome.code
    assert time.monotonic() - begun >= 2 * LIMIT_S


def test_a_run_that_cannot_be_ended_is_reported_with_its_films() -> None:
    blamed: list[Sequence[str]] = []
    told = threading.Event()

    def on_hang(names: Sequence[str]) -> None:
        blamed.append(names)
        told.set()

    dog = Watchdog(on_hang, limit_s=LIMIT_S, grace_s=0.1)
    with dog.watching(object(), ["a", "b"]):
        assert told.wait(10)
    dog.close()

    assert ["a", "b"] == blamed[0]


def test_a_run_in_time_is_left_alone() -> None:
    dog = Watchdog(never, limit_s=LIMIT_S, grace_s=0.1)
    for _ in range(8):
        with dog.watching(object(), ["a"]):
            time.sleep(LIMIT_S / 4)
    dog.close()


def test_an_error_of_a_run_in_time_is_its_own() -> None:
    dog = Watchdog(never, limit_s=60.0)
    with pytest.raises(RuntimeError, match="of the network"), dog.watching(object(), ["a"]):
        raise RuntimeError("of the network")
    dog.close()


HANGING = """
import time
from inference.serving.watchdog import Watchdog
with Watchdog(limit_s=0.2, grace_s=0.2).watching(object(), ["a"]):
    time.sleep(60)
"""


def test_a_process_with_a_run_that_cannot_be_ended_ends_itself() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=50, check=False)

    assert EXIT_STATUS == done.returncode
    assert "did not come to an end on 1 film(s)" in done.stderr
