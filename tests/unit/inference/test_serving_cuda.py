"""A torch network on a GPU answers as it does on the CPU, however its batches are made."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from inference.serving.cuda import CudaNetwork, joined, padded, sizes  # noqa: E402
from inference.training.network import FilmClassifier, new_classifier  # noqa: E402

SIDE = 64
gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture(scope="module")
def classifier() -> FilmClassifier:
    classifier = new_classifier("resnet18", 2, 1).eval()
    torch.nn.init.normal_(classifier.head.weight)  # an untrained head says nothing
    return classifier


@pytest.fixture
def network(classifier: FilmClassifier) -> Iterator[CudaNetwork]:
    yield CudaNetwork(classifier, SIDE, outputs=2, most=8)
    classifier.to("cpu")


@pytest.fixture
def films() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(21, 1, SIDE, SIDE)).astype(np.float32)


def expected(classifier: FilmClassifier, films: np.ndarray) -> list[np.ndarray]:
    import copy

    with torch.inference_mode():
        return [each.numpy() for each in copy.deepcopy(classifier).cpu()(torch.from_numpy(films))]


@pytest.mark.parametrize("count", [1, 3, 8, 21], ids=lambda count: f"{count} films")
@pytest.mark.usefixtures("network")
class TestOnAGpu:
    pytestmark = gpu

    def test_a_batch_of_any_size_gives_what_the_cpu_gives(
        self, network: CudaNetwork, classifier: FilmClassifier, films: np.ndarray, count: int
    ) -> None:
        given = network.run(films[:count])

        for ours, theirs in zip(given, expected(classifier, films[:count]), strict=True):
            assert pytest.approx(theirs, abs=5e-2, rel=1e-2) == ours

    def test_threads_that_share_it_get_their_own_answers(
        self, network: CudaNetwork, films: np.ndarray, count: int
    ) -> None:
        alone = network.run(films[:count]).logits
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: network.run(films[:count]).logits, range(32)))

        assert all(np.allclose(alone, each, atol=1e-3) for each in answers)


def test_the_prepared_sizes_are_powers_of_two_and_the_largest() -> None:
    assert [1, 2, 4, 8, 16, 32] == sizes(32)
    assert [1, 2, 4, 8, 12] == sizes(12)
    assert [1] == sizes(1)


@pytest.mark.parametrize("films", range(1, 13))
def test_a_batch_is_padded_to_the_next_prepared_size(films: int) -> None:
    size = padded(films, 12)

    assert size >= films
    assert size in sizes(12)
    assert size == 12 or size < 2 * films


def test_parts_of_a_batch_are_joined_in_order() -> None:
    assert [[1.0], [2.0], [3.0]] == joined([np.array([[1.0], [2.0]]), np.array([[3.0]])]).tolist()
    assert joined([None, None]) is None
