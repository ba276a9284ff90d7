"""What a service does with films that come together, with memory that runs out, with failures and with hangs."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from inference.errors import FilmError, ModelError
from inference.film import read_film
from inference.models import Answer, Model
from inference.models.port import Outputs
from inference.preprocessing import PreparedFilm
from inference.serving.attempts import Attempts, Named
from inference.serving.batching import BatchingService
from inference.serving.memory import CALM, BatchLimit, is_out_of_memory
from inference.serving.service import DirectService, Service, service_of
from inference.serving.watchdog import Watchdog

Fault = Callable[[np.ndarray], None]


class FaultyNetwork:
    """A network whose logit is the mean of the film, less what goes wrong with it.

    Attributes
    ----------
    fault
        Called with each batch; raises, sleeps, or does nothing.
    """

    grid = outputs = None

    def __init__(self, fault: Fault = lambda _: None) -> None:
        self.fault = fault
        self.batches: list[int] = []

    def run(self, films: np.ndarray) -> Outputs:
        self.batches.append(len(films))
        self.fault(films)
        return Outputs(films.mean(axis=(1, 2, 3))[:, None].astype(np.float32))


def film_of(model: Model, level: float) -> PreparedFilm:
    """Return a film on which a faulty network gives this logit."""
    side = model.preprocessing.side
    ramp = model.prepare(read_ramp(side))
    return replace(ramp, tensor=np.full_like(ramp.tensor, level))


def read_ramp(side: int):
    from inference.types import Radiograph

    return Radiograph(np.tile(np.linspace(0, 1, side, dtype=np.float32), (side, 1)))


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    dog = Watchdog()
    yield dog
    dog.close()


def attempts_of(model: Model, network: object, watchdog: Watchdog, most: int = 32) -> Attempts:
    return Attempts(replace(model, network=network, atlas=None), watchdog, BatchLimit(most))


def named(model: Model, levels: Sequence[float]) -> list[Named]:
    return [Named(film_of(model, level), str(level)) for level in levels]


def logit(model: Model, answer: object) -> float:
    assert isinstance(answer, Answer)
    scaling = model.scoring
    score = float(answer.scores[0])
    return (np.log(score / (1 - score)) - scaling.shifts[0]) * scaling.temperatures[0]


def torch_error() -> Exception:
    torch = pytest.importorskip("torch")
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def onnx_error() -> Exception:
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    return Fail("[ONNXRuntimeError] : 1 : FAIL : bfc_arena.cc:360 Failed to allocate memory for requested buffer")


def wrapped_error() -> Exception:
    error = ModelError("model.onnx: ONNX Runtime failed on cuda: see above")
    error.__cause__ = onnx_error()
    return error


@pytest.mark.parametrize("error", [torch_error, onnx_error, wrapped_error, MemoryError])
def test_out_of_memory_halves_the_batch_until_it_fits(
    model: Model, watchdog: Watchdog, error: Callable[[], Exception]
) -> None:
    def fault(films: np.ndarray) -> None:
        if len(films) > 2:
            raise error()

    network = FaultyNetwork(fault)
    attempts = attempts_of(model, network, watchdog)

    outcomes = attempts.outcomes(named(model, range(-4, 4)))

    assert [8, 4, 2, 2, 4, 2, 2] == network.batches
    assert pytest.approx(list(range(-4, 4)), abs=1e-2) == [logit(model, each) for each in outcomes]
    assert 2 == attempts.limit.current, "the next batches are made to fit"


def test_a_real_shortage_of_onnx_runtime_is_known_as_one(model: Model) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.network.path, options, providers=["CPUExecutionProvider"])
    import resource

    films = np.zeros((4000, 1, model.preprocessing.side, model.preprocessing.side), np.float32)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), hard))
    try:
        with pytest.raises(Exception, match=r".") as raised:
            session.run(None, {"films": films})
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    assert is_out_of_memory(raised.value)


def test_the_batch_that_found_no_room_is_let_go_before_its_halves_are_tried(model: Model, watchdog: Watchdog) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    left: list[bool] = []

    def fault(films: np.ndarray) -> None:
        left.extend(batch() is not None for batch in alive)
        if len(films) > 1:
            alive.append(weakref.ref(films))
            raise torch_error()

    attempts_of(model, FaultyNetwork(fault), watchdog).outcomes(named(model, [0, 1]))

    assert [False, False] == left


def test_another_failure_is_no_shortage_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_after_a_calm_time_larger_batches_are_tried_again() -> None:
    limit = BatchLimit(32)
    limit.failed(32)

    for _ in range(CALM):
        limit.fitted()

    assert 32 == limit.current


def test_one_film_fails_none_of_its_neighbours(model: Model, watchdog: Watchdog) -> None:
    def fault(films: np.ndarray) -> None:
        if (films.mean(axis=(1, 2, 3)) > 2.5).any():
            raise RuntimeError("CUDA error: device-side assert triggered")

    outcomes = attempts_of(model, FaultyNetwork(fault), watchdog).outcomes(named(model, [0, 1, 2, 3]))

    assert pytest.approx([0, 1, 2], abs=1e-2) == [logit(model, each) for each in outcomes[:3]]
    assert isinstance(outcomes[3], RuntimeError)


def test_a_value_that_is_no_number_refuses_its_film_alone(model: Model, watchdog: Watchdog) -> None:
    outcomes = attempts_of(model, FaultyNetwork(), watchdog).outcomes(named(model, [0, np.nan, 1, np.inf]))

    assert ["not-finite", "not-finite"] == [each.code for each in outcomes if isinstance(each, FilmError)]
    assert [0, 2] == [index for index, each in enumerate(outcomes) if isinstance(each, Answer)]


def test_films_that_come_together_share_a_batch(model: Model, watchdog: Watchdog) -> None:
    network = FaultyNetwork()
    service = BatchingService(attempts_of(model, network, watchdog, most=8), window_s=0.5, lanes=1)
    films = {level: film_of(model, level) for level in range(-4, 4)}

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(service.answer, films.values()))
    service.close()

    assert [8] == network.batches
    assert pytest.approx(list(films), abs=1e-2) == [logit(model, each) for each in answers], "each has its own answer"


def test_a_film_waits_for_company_no_longer_than_the_window(model: Model, watchdog: Watchdog) -> None:
    network = FaultyNetwork()
    service = BatchingService(attempts_of(model, network, watchdog), window_s=0.2, lanes=1)
    begun = time.monotonic()

    service.answer(film_of(model, 1.0))
    waited = time.monotonic() - begun
    service.close()

    assert 0.2 <= waited < 2.0
    assert [1] == network.batches


def test_a_suspect_shares_no_batch(model: Model, watchdog: Watchdog) -> None:
    network = FaultyNetwork()
    service = BatchingService(attempts_of(model, network, watchdog), window_s=0.5, lanes=1)
    with ThreadPoolExecutor(3) as threads:
        others = [threads.submit(service.answer, film_of(model, 0.0)) for _ in range(2)]
        service.answer(film_of(model, 1.0), "suspect", alone=True)
        for other in others:
            other.result()
    service.close()

    assert [1, 2] == network.batches


def test_a_batch_is_gathered_while_another_is_computed(model: Model, watchdog: Watchdog) -> None:
    both = threading.Barrier(2)
    service = BatchingService(
        attempts_of(model, FaultyNetwork(lambda _: both.wait(5)), watchdog, most=1), window_s=0.0, lanes=2
    )

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(service.answer, [film_of(model, 0.0)] * 2))
    service.close()

    assert all(isinstance(each, Answer) for each in answers), "the barrier opened: two batches were under way"


def batching(model: Model, network: FaultyNetwork, watchdog: Watchdog) -> BatchingService:
    return BatchingService(attempts_of(model, network, watchdog, most=1), window_s=0.0, lanes=1)


def direct(model: Model, network: FaultyNetwork, watchdog: Watchdog) -> DirectService:
    return DirectService(replace(model, network=network, atlas=None), watchdog, 1)


@pytest.mark.parametrize("new_service", [batching, direct])
def test_a_closed_service_cancels_who_waits(
    new_service: Callable[[Model, FaultyNetwork, Watchdog], Service], model: Model, watchdog: Watchdog
) -> None:
    begun, release = threading.Event(), threading.Event()

    def fault(_: np.ndarray) -> None:
        begun.set()
        release.wait(5)

    service = new_service(model, FaultyNetwork(fault), watchdog)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(service.answer, film_of(model, 0.0))
        assert begun.wait(5)
        second = threads.submit(service.answer, film_of(model, 0.0))
        while not second.running():
            time.sleep(0.01)
        time.sleep(0.1)  # it waits for the first by now
        closing = threads.submit(service.close)
        time.sleep(0.1)
        release.set()
        closing.result(10)
        assert isinstance(first.result(), Answer)
        with pytest.raises(CancelledError):
            second.result(10)
    with pytest.raises(CancelledError):
        service.answer(film_of(model, 0.0))


def test_on_a_cpu_films_run_one_by_one_and_no_more_at_once_than_there_are_threads_for_them(
    model: Model, watchdog: Watchdog
) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def fault(_: np.ndarray) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    network = FaultyNetwork(fault)
    service = DirectService(replace(model, network=network, atlas=None), watchdog, 2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(service.answer, [film_of(model, 0.0)] * 16))

    assert [1] * 16 == network.batches
    assert 2 == most


def test_outputs_come_to_an_answer_beside_the_next_run(
    model: Model, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, second = FaultyNetwork(), threading.Event()
    network.fault = lambda _: second.set() if len(network.batches) == 2 else None
    answers = Model.answers
    waited = []

    def late(self: Model, outputs: Outputs, films: int) -> list[Answer | FilmError]:
        waited.append(second.wait(10.0))
        return answers(self, outputs, films)

    monkeypatch.setattr(Model, "answers", late)
    service = DirectService(replace(model, network=network, atlas=None), watchdog, 1)
    with ThreadPoolExecutor(2) as threads:
        given = list(threads.map(service.answer, [film_of(model, 0.0), film_of(model, 1.0)]))

    assert [True, True] == waited
    assert pytest.approx([0.0, 1.0], abs=1e-2) == [logit(model, each) for each in given]


def test_the_shipped_model_answers_through_its_service_as_by_itself(model: Model, clinical_film: Path) -> None:
    film = model.prepare(read_film(clinical_film))
    service = service_of(model, "cpu")
    try:
        answer = service.answer(film)
    finally:
        service.close()

    (expected,) = model.predict([film])
    assert isinstance(answer, Answer)
    assert isinstance(expected, Answer)
    assert (expected.scores == answer.scores).all()


def test_a_device_that_is_not_served_is_named(model: Model) -> None:
    with pytest.raises(ModelError, match="device: tpu; a model is served on cpu, cuda"):
        service_of(model, "tpu")
