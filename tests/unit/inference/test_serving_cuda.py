"""A torch network on a device answers as it does by itself, however its batches are made and laid out.

Most of it is tested on the CPU, whose streams are empty forms; captured graphs and pinned memory need a GPU.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_folders import CLASS_ACTIVATION, GRAD_CAM, write_card

from inference.models import DEFAULT_MODEL, Answer, Model, load_model
from inference.serving.service import service_of

torch = pytest.importorskip("torch")
from test_model_kinds import TWO, Deep, Explained, Pooled, exported  # noqa: E402 - only with torch
from torch import Tensor, nn  # noqa: E402

from inference.serving.cuda import DeviceRunner, HostRunner  # noqa: E402
from inference.serving.lanes import joined, padded, sizes  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[
        pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ]),
]  # fmt: skip
on_a_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
FILMS = np.random.default_rng(1).normal(size=(21, 3, 64, 64)).astype(np.float32)


def runner(module: nn.Module, device: str, most: int = 8, **more: object) -> DeviceRunner:
    module = copy.deepcopy(module).eval().to(device)
    given = more.pop("forward", None) or module
    return DeviceRunner(module, lambda films: tuples(given(films)), torch.device(device), most=most, trials=2, **more)


def tuples(given: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [given] if isinstance(given, Tensor) else given


def expected(module: nn.Module, films: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        return [each.numpy() for each in tuples(module.eval()(torch.from_numpy(films)))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [1, 3, 8, 21], ids=lambda count: f"{count} films")
def test_a_batch_of_any_size_gives_what_the_network_gives(device: str, count: int) -> None:
    given = runner(Explained(), device).run(FILMS[:count])

    for ours, theirs in zip(given, expected(Explained(), FILMS[:count]), strict=True):
        assert pytest.approx(theirs, abs=1e-4) == ours


@pytest.mark.parametrize("device", DEVICES)
def test_threads_that_share_it_get_their_own_answers(device: str) -> None:
    shared = runner(Pooled(), device)
    batches = [FILMS[start : start + 1 + start % 5] for start in range(16)]

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(shared.run, batches))

    for batch, (logits,) in zip(batches, answers, strict=True):
        assert pytest.approx(expected(Pooled(), batch)[0], abs=1e-4) == logits


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_that_follows_a_larger_one_sees_nothing_of_it(device: str) -> None:
    class OfItsBatch(nn.Module):
        """What fills a batch has a say in it."""

        def forward(self, films):
            return films.mean((1, 2, 3)).unsqueeze(1) + films.max()

    shared = runner(OfItsBatch(), device)
    shared.run(FILMS[:8] + 100.0)

    (logits,) = shared.run(FILMS[:3])

    assert pytest.approx(expected(OfItsBatch(), FILMS[:3])[0], abs=1e-4) == logits


@pytest.mark.parametrize("device", DEVICES)
def test_what_a_network_leaves_out_stays_out(device: str) -> None:
    module = Pooled()

    given = runner(module, device, forward=lambda films: (films.mean((2, 3)), None, films.amax((2, 3)))).run(FILMS)

    assert [(21, 3), None, (21, 3)] == [None if each is None else each.shape for each in given]


def test_films_of_another_shape_than_was_prepared_are_refused() -> None:
    prepared = runner(Pooled(), "cpu")
    prepared.run(FILMS)

    with pytest.raises(ValueError, match=r"films: shape \(3, 32, 32\); prepared were \(3, 64, 64\)"):
        prepared.run(FILMS[:, :, :32, :32])


class Viewing(Pooled):
    """A network that refuses films whose channels lie last: it reads memory in its order."""

    def forward(self, films):
        features = self.body(films)
        return self.head(features.view(len(films), -1).unflatten(1, (16, -1)).mean(2))


@pytest.mark.parametrize("device", DEVICES)
def test_a_layout_that_a_network_does_not_bear_is_not_used(device: str) -> None:
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        Viewing().to(memory_format=torch.channels_last)(
            torch.from_numpy(FILMS).contiguous(memory_format=torch.channels_last)
        )

    (logits,) = runner(Viewing(), device).run(FILMS)

    assert pytest.approx(expected(Viewing(), FILMS)[0], abs=1e-4) == logits


@pytest.mark.parametrize("device", DEVICES)
def test_a_form_that_answers_otherwise_is_not_used(device: str) -> None:
    class LayoutDependent(nn.Module):
        def forward(self, films):
            return films.mean((1, 2, 3)).unsqueeze(1) + float(not films.is_contiguous())

    (logits,) = runner(LayoutDependent(), device).run(FILMS)

    assert pytest.approx(expected(LayoutDependent(), FILMS)[0], abs=1e-4) == logits


def test_memory_that_is_short_when_lanes_are_prepared_makes_batches_smaller() -> None:
    tried: list[int] = []

    def forward(films: Tensor) -> Sequence[Tensor]:
        tried.append(len(films))
        if len(films) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [films.mean((1, 2, 3)).unsqueeze(1)]

    short = runner(Pooled(), "cpu", forward=forward)
    (logits,) = short.run(FILMS)

    assert 2 == short.lanes.most
    assert [8, 4] == tried[:2]
    assert pytest.approx(FILMS.mean((1, 2, 3)), abs=1e-5) == logits[:, 0]


def test_films_too_large_for_many_lie_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.serving.cuda.MOST_BYTES", 3 * FILMS[0].nbytes)
    large = runner(Pooled(), "cpu")

    large.run(FILMS)

    assert 3 == large.lanes.most


def test_the_prepared_sizes_are_powers_of_two_between_the_least_and_the_largest() -> None:
    assert [1, 2, 4, 8, 16, 32] == sizes(32)
    assert [1, 2, 4, 8, 12] == sizes(12)
    assert [1] == sizes(1)
    assert [3] == sizes(3, least=3)
    assert [2, 4, 8] == sizes(8, least=2)


@pytest.mark.parametrize("films", range(1, 13))
def test_a_batch_is_padded_to_the_next_prepared_size(films: int) -> None:
    size = padded(films, sizes(12))

    assert size >= films
    assert size in sizes(12)
    assert size == 12 or size < 2 * films


def test_parts_of_a_batch_are_joined_in_order() -> None:
    assert [[1.0], [2.0], [3.0]] == joined([np.array([[1.0], [2.0]]), np.array([[3.0]])]).tolist()
    assert joined([None, None]) is None


def folder_of(kind: str, folder: Path) -> Path:
    """Return a model folder of a kind: programs, exact maps, maps by gradients, scripts."""
    if kind == "torchscript":
        torch.jit.trace(Explained().eval(), torch.from_numpy(FILMS)).save(folder / "m.pt")
        return write_card(folder, "m.pt", kind, TWO, explanation=CLASS_ACTIVATION)
    if kind == "state-dict":
        from torchvision.models import resnet18

        torch.manual_seed(0)
        torch.save(resnet18(num_classes=2).state_dict(), folder / "m.pth")
        return write_card(folder, "m.pth", kind, TWO, weights={"architecture": "resnet18"},
                          explanation=CLASS_ACTIVATION)  # fmt: skip
    exported(Deep() if kind == "by gradients" else Pooled(), folder / "m.pt2", 2 if kind == "fixed batch" else None)
    method = {"by gradients": GRAD_CAM, "exact": CLASS_ACTIVATION}.get(kind)
    return write_card(folder, "m.pt2", "torch-export", TWO, **({"explanation": method} if method else {}))


KINDS = ("exact", "by gradients", "fixed batch", "torchscript", "state-dict")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_through_lanes_as_it_does_without(kind: str, tmp_path: Path) -> None:
    network = load_model(folder_of(kind, tmp_path)).network
    assert isinstance(network.runner, HostRunner)
    plain = network.run(FILMS)
    lanes = DeviceRunner(
        network.module, network.runner._forward, torch.device("cpu"), trials=1,
        **({"least": 2, "most": 2} if kind == "fixed batch" else {"most": 8}),
    )  # fmt: skip
    object.__setattr__(network, "runner", lanes)

    given = network.run(FILMS)

    assert [each is None for each in plain] == [each is None for each in given]
    for ours, theirs in zip(given, plain, strict=True):
        assert theirs is None or pytest.approx(theirs, abs=1e-4) == ours


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_precision_of_the_card_is_that_of_the_computation(kind: str, precision: str, tmp_path: Path) -> None:
    folder = folder_of(kind, tmp_path)
    exact = load_model(folder).network.run(FILMS)
    (folder / "card.toml").write_text(
        f'device = {{ precision = {{ cpu = "{precision}" }} }}\n' + (folder / "card.toml").read_text()
    )

    given = load_model(folder).network.run(FILMS)

    difference = np.abs(given.logits - exact.logits).max()
    assert 0 < difference < 0.05 * np.abs(exact.logits).max() + 0.01
    assert all(each is None or each.dtype == np.float32 for each in given)


@pytest.mark.parametrize("kind", KINDS)
class TestOnAGpu:
    pytestmark = on_a_gpu

    def test_every_kind_is_served_through_lanes_and_answers_as_on_the_cpu(self, kind: str, tmp_path: Path) -> None:
        folder = folder_of(kind, tmp_path)

        given = load_model(folder, "cuda:0").network
        theirs = load_model(folder).network.run(FILMS)

        assert isinstance(given.runner, DeviceRunner)
        for _ in range(2):
            for ours, exact in zip(given.run(FILMS), theirs, strict=True):
                assert exact is None or pytest.approx(exact, abs=1e-3, rel=1e-3) == ours

    def test_a_half_precision_is_close_to_the_exact_one(self, kind: str, tmp_path: Path) -> None:
        folder = folder_of(kind, tmp_path)
        exact = load_model(folder).network.run(FILMS)
        card = (folder / "card.toml").read_text()
        (folder / "card.toml").write_text('device = { precision = { cuda = "bfloat16" } }\n' + card)

        given = load_model(folder, "cuda").network.run(FILMS)

        assert pytest.approx(exact.logits, abs=0.1, rel=0.1) == given.logits

    def test_a_service_of_many_threads_gives_each_its_own_answer(self, kind: str, tmp_path: Path) -> None:
        loaded = load_model(folder_of(kind, tmp_path), "cuda")
        assert_each_its_own(loaded, "cuda")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
@pytest.mark.gpu
def test_onnx_on_a_gpu_answers_as_on_the_cpu(device: str, model: Model) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("needs onnxruntime-gpu")
    loaded = load_model(DEFAULT_MODEL, device)
    side = model.preprocessing.side
    films = np.random.default_rng(2).normal(size=(5, 1, side, side)).astype(np.float32)

    for ours, theirs in zip(loaded.network.run(films), model.network.run(films), strict=True):
        assert pytest.approx(theirs, abs=1e-3, rel=1e-3) == ours
    assert_each_its_own(loaded, device)


def assert_each_its_own(loaded: Model, device: str) -> None:
    """Ask a service about films of many threads; each answer is that of its film."""
    from test_serving_service import film_of

    loaded = replace(loaded, atlas=None)
    films = [film_of(loaded, level / 8) for level in range(16)]
    alone = [loaded.predict([film])[0] for film in films]
    service = service_of(loaded, device)
    try:
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(service.answer, films))
    finally:
        service.close()
    for ours, theirs in zip(answers, alone, strict=True):
        assert isinstance(ours, Answer)
        assert pytest.approx(theirs.scores, abs=1e-3) == ours.scores


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_of_many_threads_gives_each_its_own_answer_on_a_cpu(kind: str, tmp_path: Path) -> None:
    assert_each_its_own(load_model(folder_of(kind, tmp_path)), "cpu")
