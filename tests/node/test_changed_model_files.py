"""A whole node under which the files of a model change: what was loaded goes on, a restart says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import as_study
from tests.running import pacs, running_node, send
from tests.unit.dicom_node.test_roster import copied, table

pytestmark = pytest.mark.timeout(400)


def test_a_model_goes_on_without_its_file_and_its_studies_wait_after_a_restart(
    tmp_path: Path, chest_film: Path
) -> None:
    changed = copied(tmp_path, "changed")
    weights, away = changed / "model.onnx", tmp_path / "away"
    tables = table(copied(tmp_path, "sound"), 'when = { StudyDescription = ["*CHEST*"] }')
    tables += table(changed, 'when = { StudyDescription = ["*KNEE*"] }')
    films = {
        number: as_study(chest_film, tmp_path / f"{number}.dcm", number, StudyDescription=description)
        for number, description in ((1, "KNEE"), (2, "KNEE"), (3, "KNEE"), (4, "CHEST"))
    }
    with pacs() as peer, running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
        assert send(node.port, films[1]) == 0x0000
        (before,) = node.delivered("2.25.4711.1")["generations"]
        weights.rename(away)
        assert send(node.port, films[2]) == 0x0000
        (without,) = node.delivered("2.25.4711.2")["generations"]

        node.stop()
        weights.write_bytes(away.read_bytes() + b"\0")
        node.start()
        assert send(node.port, films[3]) == 0x0000
        assert send(node.port, films[4]) == 0x0000
        (sound,) = node.delivered("2.25.4711.4")["generations"]
        node.wait_for(lambda: "waits: the model changed" in node.command("explain", "2.25.4711.3").stdout, 30)
        status = node.command("status").stdout
        checked = node.command("check")
        assert not [one for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.3"]

        away.replace(weights)
        (mended,) = node.delivered("2.25.4711.3", patience_s=120)["generations"]

    said = " ".join(status.split())
    assert "the model changed cannot be used: " in said
    assert "model.onnx: sha256 is " in said
    assert 1 == checked.returncode
    assert "model.onnx: sha256 is " in " ".join((checked.stdout + checked.stderr).split())
    assert ["sound 1.0.0"] == [one["model"] for one in sound["readings"]]
    scores = [one["readings"][0]["scores"] for one in (before, without, mended)]
    assert scores[0]
    assert scores[0] == scores[1] == scores[2]
