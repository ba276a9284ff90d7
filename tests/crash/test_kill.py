"""SIGKILL at each checkpoint: every acknowledged study is finished, and no result exists twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.checkpoint import CHECKPOINTS
from tests.conftest import as_study
from tests.running import NodeProcess, Pacs, pacs, send, send_until_acknowledged

STUDY_UID = "2.25.4711.1"


@pytest.fixture
def peer() -> Iterator[Pacs]:
    with pacs() as one:
        yield one


@pytest.fixture
def film(chest_film: Path, tmp_path: Path) -> Path:
    return as_study(chest_film, tmp_path / "film.dcm", 1)


def node_that_dies_at(checkpoint: str, victim: str, folder: Path, peer: Pacs) -> tuple[NodeProcess, Path]:
    marker = folder / "crash"
    marker.write_text(victim)
    environment = {"DICOM_NODE_CRASH_AT": f"{checkpoint}:{marker}"}
    return NodeProcess(folder / "node", peer.destination(), environment=environment), marker


def results_are_complete_and_single(node: NodeProcess, peer: Pacs) -> None:
    told = node.delivered(STUDY_UID)
    (generation,) = told["generations"]
    assert peer.took_one_form_of_each(generation["results"]), "the PACS has what was recorded, and nothing else"
    assert all(1 == len(set(digests)) for digests in peer.received.values()), "one UID, one content"


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_a_role_killed_at_a_checkpoint_is_replaced_and_its_work_finished(
    checkpoint: str, tmp_path: Path, peer: Pacs, film: Path
) -> None:
    node, marker = node_that_dies_at(checkpoint, "role", tmp_path, peer)
    node.start()
    try:
        send_until_acknowledged(node.port, film)
        results_are_complete_and_single(node, peer)
    finally:
        node.stop()
    assert not marker.exists(), "the checkpoint was reached"


@pytest.mark.parametrize(
    "checkpoint",
    [
        "instance-durable",
        "instance-acknowledged",
        "results-written",
        "results-recorded",
        "delivery-accepted",
        "delivery-recorded",
    ],
)
def test_a_whole_node_killed_at_a_durable_point_finishes_when_it_is_started_again(
    checkpoint: str, tmp_path: Path, peer: Pacs, film: Path
) -> None:
    node, marker = node_that_dies_at(checkpoint, "node", tmp_path, peer)
    node.start()
    try:
        acknowledged = send(node.port, film) == 0x0000
        assert node.process
        node.process.wait(60)
        node.start()
        if not acknowledged:
            send_until_acknowledged(node.port, film)
        results_are_complete_and_single(node, peer)
    finally:
        node.stop()
    assert not marker.exists(), "the checkpoint was reached"
