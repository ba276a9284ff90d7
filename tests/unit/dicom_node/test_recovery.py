"""A model that its golden film took out of work comes back only with a right answer, and a lost device with a process.

No GPU was at hand: the driver that goes away is the very exception that torch raises, out of a service that stands for
the device; everything above it is the real thing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node import recovery, slot
from dicom_node.errors import ModelUnavailableError, StartError
from dicom_node.films import Answered, Films, Source
from dicom_node.fitness import Fitness
from dicom_node.opening import Openings
from dicom_node.preprocess.decoders import Decoders
from dicom_node.roster import Roster
from dicom_node.settings import ModelSettings
from dicom_node.slot import Slot
from dicom_node.suspects import Suspects
from inference.errors import ModelError
from inference.models import DEFAULT_MODEL, Answer, Model, load_model
from inference.models.folder import sha256_of
from inference.preprocessing import PreparedFilm
from structured_reports.port import Refusal
from tests.unit.dicom_node.test_roster import copied, outcomes, pipeline, table

onnx = pytest.importorskip("onnx")
AcceleratorError = pytest.importorskip("torch").AcceleratorError

# The first line of what torch 2.15 raises where a kernel or the driver fails.
GONE = "CUDA error: unspecified launch failure"


def altered(folder: Path) -> bytes:
    """Let the weights of a model give other scores, under a card that fits them; returns the right weights."""
    file, card = folder / "model.onnx", folder / "card.toml"
    right, digest = file.read_bytes(), sha256_of(file)
    graph = onnx.load(file)
    kernel = next(one for one in graph.graph.initializer if len(one.dims) == 4)
    kernel.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(kernel), kernel.name))
    onnx.save(graph, file)
    card.write_text(card.read_text().replace(digest, sha256_of(file)))
    return right


def put_back(folder: Path, right: bytes) -> None:
    """Give a model its right weights again, and its card their digest."""
    file, card = folder / "model.onnx", folder / "card.toml"
    digest = sha256_of(file)
    file.write_bytes(right)
    card.write_text(card.read_text().replace(digest, sha256_of(file)))


@pytest.fixture
def source(chest_film: Path) -> Source:
    return Source("a" * 64, chest_film)


@dataclass
class Clock:
    """What time it is for those who wait for a model to come back."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recovery, "time", clock)
    return clock


def never() -> None:
    raise AssertionError("the process was to end")


def test_altered_weights_read_nothing_until_they_are_put_back(tmp_path: Path, source: Source, clock: Clock) -> None:
    folder = copied(tmp_path, "altered")
    right = altered(folder)
    with pipeline(tmp_path, table(copied(tmp_path, "sound")) + table(folder, "required = false")) as running:
        clock.now += 60.0
        running.roster.look(never)  # loaded anew, and still wrong
        wrong, faults = outcomes(running, source), running.roster.faults()
        put_back(folder, right)
        clock.now += 60.0
        running.roster.look(never)
        healed = outcomes(running, source)

        assert {} == running.roster.faults()
    assert isinstance(wrong["sound 1.0.0"], Answered)
    assert isinstance(wrong["altered 1.0.0"], Refusal)
    assert faults["altered 1.0.0"].startswith("golden film: ")
    assert "loaded anew until it answers rightly" in faults["altered 1.0.0"]
    assert isinstance(healed["sound 1.0.0"], Answered)
    assert isinstance(healed["altered 1.0.0"], Answered)
    assert healed["sound 1.0.0"].highest == healed["altered 1.0.0"].highest


@dataclass
class Device:
    """A service on a device that drifts, or is gone, from the moment it is told.

    Attributes
    ----------
    drift
        Added to every score.
    on_ask
        Called before each answer.
    """

    model: Model
    drift: float = 0.0
    error: Exception | None = None
    at_once: int = 1
    closed: bool = False
    on_ask: Callable[[str], None] = field(default=lambda name: None)

    def answer(self, film: PreparedFilm, name: str = "", *, alone: bool = False) -> Answer:
        self.on_ask(name)
        if self.error:
            raise self.error
        (answer,) = self.model.predict([film])
        assert isinstance(answer, Answer)
        return replace(answer, scores=answer.scores + np.float32(self.drift))

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def openings() -> Iterator[Openings]:
    pool = Decoders(1, preload=("dicom_node.films",))
    yield Openings(pool, 0)
    pool.close()


@dataclass
class Worker:
    """One model of a worker on devices that a test holds; the newest is last."""

    folder: Path
    suspects: Path
    openings: Openings
    clock: Clock
    devices: list[Device] = field(default_factory=list)
    breaks: Exception | None = None
    ends: int = 0

    def __post_init__(self) -> None:
        self.slot = Slot(ModelSettings(folder=self.folder), self.start)

    def start(self) -> Films:
        if self.breaks:
            raise StartError("device: cuda; this torch has cpu") from self.breaks
        try:
            model = load_model(self.folder)
        except ModelError as error:
            raise StartError(str(error)) from error
        self.devices.append(Device(model))
        films = Films(self.devices[-1], self.openings, Suspects(self.suspects), threads=1)
        films.fitness.look()
        return films

    def end(self) -> None:
        self.ends += 1

    def look(self, after_s: float = 0.0) -> None:
        """Look when the golden film is due."""
        self.clock.now += after_s
        if self.slot.ready is not None:
            self.slot.ready.fitness.doubt()
        self.slot.look(self.end)


@pytest.fixture
def worker(tmp_path: Path, openings: Openings, clock: Clock) -> Worker:
    return Worker(Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model")), tmp_path / "suspects", openings, clock)


def test_a_mismatch_at_work_stops_the_model_and_a_new_load_brings_it_back(
    worker: Worker, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    before = worker.slot.answer(source)
    worker.devices[0].drift = 0.05
    worker.look()
    with pytest.raises(ModelUnavailableError, match=r"a score differs by 0\.05"):
        worker.slot.answer(source)

    worker.look(after_s=60.0)
    after = worker.slot.answer(source)

    assert isinstance(before, Answered)
    assert isinstance(after, Answered)
    assert before.highest == after.highest
    assert [True, False] == [device.closed for device in worker.devices]
    assert ["ModelReady", "DeviceUnfit", "ModelReady", "ModelBack"] == named(capsys.readouterr())


def named(captured: Any) -> list[str]:
    """Return the names of the events of models in what was printed, whatever form the log has."""
    words = re.findall(r"\w+", captured.out + captured.err)
    return [one for one in words if one in ("ModelReady", "DeviceUnfit", "ModelBack", "ModelUnavailable")]


def test_a_model_whose_file_is_altered_meanwhile_stays_out_until_it_is_put_back(
    worker: Worker, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "RETRY_S", 0.0)
    worker.slot.answer(source)
    worker.devices[0].drift = 0.05
    right = (worker.folder / "model.onnx").read_bytes()
    (worker.folder / "model.onnx").write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    worker.look()
    worker.look(after_s=60.0)
    with pytest.raises(ModelUnavailableError, match="sha256"):
        worker.slot.answer(source)
    assert "sha256" in worker.slot.fault

    (worker.folder / "model.onnx").write_bytes(right)
    worker.look(after_s=60.0)

    assert isinstance(worker.slot.answer(source), Answered)
    assert "" == worker.slot.fault


def test_a_model_does_not_come_back_without_its_golden_film(worker: Worker, source: Source) -> None:
    worker.slot.answer(source)
    worker.devices[0].drift = 0.05
    worker.look()
    card = worker.folder / "card.toml"
    card.write_text(card.read_text().partition("[golden]")[0])
    worker.look(after_s=60.0)

    with pytest.raises(ModelUnavailableError, match="its folder has none any more"):
        worker.slot.answer(source)


def test_a_mismatch_is_not_followed_by_a_new_load_at_once(worker: Worker, source: Source) -> None:
    worker.slot.answer(source)
    worker.devices[0].drift = 0.05
    worker.look()
    for _ in range(3):
        worker.look(after_s=15.0)

    assert 1 == len(worker.devices)


def test_an_answer_that_was_under_way_when_the_device_was_found_out_is_not_given(
    worker: Worker, source: Source
) -> None:
    worker.slot.reader()

    def drifted(name: str) -> None:
        if name == source.sha256:
            worker.devices[0].drift = 0.05
            worker.look()

    worker.devices[0].on_ask = drifted
    with pytest.raises(ModelUnavailableError, match="golden film: a score differs"):
        worker.slot.answer(source)


def test_each_return_makes_the_next_wait_longer(clock: Clock) -> None:
    counted, waits = recovery.Recovery(), []
    for _ in range(8):
        counted.found_wrong(fitness_of(is_lost=False))
        begun = clock.now
        while not counted.is_due:
            clock.now += 10.0
        waits.append(clock.now - begun)
        counted.came_back()

    assert [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0] == waits


def fitness_of(*, is_lost: bool) -> Fitness:
    fitness = Fitness.__new__(Fitness)
    fitness.is_lost = is_lost
    return fitness


def test_a_driver_that_goes_away_lets_the_study_wait_and_the_process_end(worker: Worker, source: Source) -> None:
    worker.slot.answer(source)
    worker.devices[0].error = worker.breaks = AcceleratorError(GONE)
    worker.slot.ready.forget(source.sha256)
    with pytest.raises(ModelUnavailableError, match="device: cuda; this torch has cpu"):
        worker.slot.answer(source)
    worker.look()
    assert 0 == worker.ends  # it may be back in a moment

    worker.look(after_s=60.0)

    assert 1 == worker.ends


def test_a_driver_whose_loss_the_golden_film_shows_ends_the_process(worker: Worker, source: Source) -> None:
    worker.slot.answer(source)
    worker.devices[0].error = RuntimeError(GONE)
    worker.look()
    worker.look(after_s=60.0)

    assert 1 == worker.ends
    with pytest.raises(ModelUnavailableError, match="golden film: the network fails on it"):
        worker.slot.answer(source)


def test_a_process_that_never_had_the_device_is_not_ended(worker: Worker, source: Source) -> None:
    worker.breaks = AcceleratorError(GONE)
    with pytest.raises(ModelUnavailableError):
        worker.slot.answer(source)
    worker.look(after_s=60.0)
    assert 0 == worker.ends

    worker.breaks = None
    worker.look(after_s=60.0)

    assert isinstance(worker.slot.answer(source), Answered)


def test_a_lost_device_leaves_the_other_models_alone(worker: Worker, source: Source, openings: Openings) -> None:
    def start(settings: ModelSettings) -> Films:
        if settings.folder == worker.folder:
            return worker.start()
        model = load_model(settings.folder)
        model = replace(model, card=replace(model.card, name="other"))
        return Films(Device(model), openings, Suspects(worker.suspects), threads=1)

    other = ModelSettings(folder=DEFAULT_MODEL, required=False)
    roster = Roster([ModelSettings(folder=worker.folder, required=False), other], start)
    roster.require_any()
    worker.devices[0].error = worker.breaks = AcceleratorError(GONE)

    lost, kept = (outcome for _, _, outcome in roster.opinions([source]))
    roster.close()

    assert isinstance(lost, Refusal)
    assert "cannot be used" in lost.reason
    assert isinstance(kept, Answered)
