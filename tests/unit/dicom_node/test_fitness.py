"""A device that cannot be believed reads nothing, and a film that hangs twice is not read again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from dicom_node.errors import ModelUnavailableError
from dicom_node.films import Films, Source
from dicom_node.fitness import GOLDEN, Fitness
from dicom_node.opening import Openings
from dicom_node.preprocess.decoders import Decoders
from dicom_node.suspects import Suspects
from inference.film import read_film
from inference.models import DEFAULT_MODEL, Answer, Model, load_model
from inference.preprocessing import PreparedFilm
from inference.serving.golden import Golden
from inference.serving.watchdog import EXIT_STATUS
from structured_reports.port import Refusal


@pytest.fixture(scope="module")
def model(chest_film: Path) -> Model:
    model = load_model(DEFAULT_MODEL)
    return replace(model, golden=Golden.record(model, model.prepare(read_film(chest_film))))


@dataclass
class Device:
    """A service on a device that drifts, or fails, as told.

    Attributes
    ----------
    drift
        Added to every score.
    asked
        Names of the films and whether they were to be alone.
    """

    model: Model
    drift: float = 0.0
    error: Exception | None = None
    at_once: int = 1
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer:
        self.asked.append((name, alone))
        if self.error:
            raise self.error
        (answer,) = self.model.predict([film])
        assert isinstance(answer, Answer)
        return replace(answer, scores=answer.scores + np.float32(self.drift))

    def close(self) -> None:
        pass


@pytest.fixture
def suspects(tmp_path: Path) -> Suspects:
    return Suspects(tmp_path / "suspects")


def test_a_sound_device_is_asked_once_an_hour(model: Model, suspects: Suspects) -> None:
    device = Device(model)
    fitness = Fitness(device, suspects, every_s=3600.0)

    for _ in range(3):
        fitness.look()

    assert fitness.fault is None
    assert [(GOLDEN, True)] == device.asked


def test_a_device_that_drifts_between_two_looks_is_found_out(model: Model, suspects: Suspects) -> None:
    device = Device(model)
    fitness = Fitness(device, suspects, every_s=0.0)
    fitness.look()
    assert fitness.fault is None

    device.drift = -0.05
    fitness.look()

    assert "a score differs by 0.05" in str(fitness.fault)


def test_a_failure_has_the_golden_film_asked_about_at_once(model: Model, suspects: Suspects) -> None:
    device = Device(model)
    fitness = Fitness(device, suspects, every_s=3600.0)
    fitness.look()

    device.error = RuntimeError("CUDA error: an illegal memory access was encountered")
    fitness.doubt()
    fitness.look()

    assert "the network fails on it (RuntimeError" in str(fitness.fault)


def test_an_unfit_device_does_not_become_fit_by_itself(model: Model, suspects: Suspects) -> None:
    device = Device(model, drift=0.05)
    fitness = Fitness(device, suspects, every_s=0.0)
    fitness.look()
    device.drift = 0.0
    fitness.look()

    assert fitness.fault is not None


def test_a_golden_film_that_ended_the_process_twice_is_not_asked_about(model: Model, suspects: Suspects) -> None:
    for _ in range(2):
        suspects.note([GOLDEN])
    device = Device(model)
    fitness = Fitness(device, suspects)
    fitness.look()

    assert "came to no end" in str(fitness.fault)
    assert [] == device.asked


@pytest.fixture(scope="module")
def openings() -> Iterator[Openings]:
    pool = Decoders(1, preload=("dicom_node.films",))
    yield Openings(pool, 0)
    pool.close()


def test_an_unfit_device_reads_nothing(model: Model, suspects: Suspects, openings: Openings, chest_film: Path) -> None:
    films = Films(Device(model, drift=0.05), openings, suspects, threads=1)
    films.fitness.look()

    with pytest.raises(ModelUnavailableError, match="golden film: a score differs"):
        films.answer(Source("0" * 64, chest_film))
    films.close()


def test_a_film_that_hung_once_is_asked_about_alone(
    model: Model, suspects: Suspects, openings: Openings, chest_film: Path
) -> None:
    suspects.note(["0" * 64])
    device = Device(model)
    films = Films(device, openings, suspects, threads=1)

    films.answer(Source("0" * 64, chest_film))
    films.answer(Source("1" * 64, chest_film))
    films.close()

    assert [("0" * 64, True), ("1" * 64, False)] == device.asked


def test_a_film_that_hung_twice_is_refused_with_the_reason(
    model: Model, suspects: Suspects, openings: Openings, chest_film: Path
) -> None:
    for _ in range(2):
        suspects.note(["0" * 64])
    films = Films(Device(model), openings, suspects, threads=1)

    refusal = films.answer(Source("0" * 64, chest_film))
    films.close()

    assert isinstance(refusal, Refusal)
    assert "hang" == refusal.code
    assert "twice" in refusal.reason


HANGING = """
import sys, time
from pathlib import Path
from dicom_node.observe.events import configure_logs
from dicom_node.suspects import Suspects
from inference.serving.watchdog import Watchdog
configure_logs()
suspects = Suspects(Path(sys.argv[1]))
with Watchdog(suspects.end_process, limit_s=0.2, grace_s=0.2).watching(object(), ["a", "b"]):
    time.sleep(60)
"""


def test_a_hang_that_cannot_be_ended_is_logged_and_its_films_noted_before_the_process_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path / "suspects")],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip

    assert EXIT_STATUS == done.returncode
    assert {"event": "ModelHung", "films": 2}.items() <= json.loads(done.stderr.splitlines()[-1]).items()
    assert (1, 1, 0) == tuple(Suspects(tmp_path / "suspects").hangs(name) for name in ("a", "b", "c"))


def test_a_process_that_cannot_note_its_suspects_ends_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "suspects").write_text("a file where the folder should be")

    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path / "suspects")],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip

    assert EXIT_STATUS == done.returncode
