"""The same node on PostgreSQL, by a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import as_study
from tests.peers.peers import postgres
from tests.running import NodeProcess, pacs, send_until_acknowledged

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.mark.parametrize("checkpoint", ["", "results-recorded"])
def test_a_study_is_read_and_delivered_once(tmp_path: Path, chest_film: Path, checkpoint: str) -> None:
    marker = tmp_path / "crash"
    marker.write_text("role")
    environment = {"DICOM_NODE_CRASH_AT": f"{checkpoint}:{marker}"}
    with postgres() as url, pacs() as peer:
        node = NodeProcess(tmp_path / "node", peer.destination(), database=url, environment=environment)
        node.start()
        try:
            send_until_acknowledged(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            (generation,) = node.delivered("2.25.4711.1")["generations"]
        finally:
            node.stop()

    assert peer.took_one_form_of_each(generation["results"])
    assert marker.exists() is not bool(checkpoint)
