"""A whole node of which one model gives wrong answers: its studies wait, and are read when its weights are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import as_study
from tests.running import pacs, running_node, send
from tests.unit.dicom_node.test_recovery import altered, put_back
from tests.unit.dicom_node.test_roster import copied, table

pytestmark = pytest.mark.timeout(400)


def test_a_study_waits_while_the_golden_film_is_answered_wrongly(tmp_path: Path, chest_film: Path) -> None:
    wrong = copied(tmp_path, "altered")
    right = altered(wrong)
    tables = table(copied(tmp_path, "sound"), 'when = { StudyDescription = ["*CHEST*"] }')
    tables += table(wrong, 'when = { StudyDescription = ["*KNEE*"] }')
    films = [
        as_study(chest_film, tmp_path / f"{number}.dcm", number, StudyDescription=description)
        for number, description in ((1, "CHEST"), (2, "KNEE"))
    ]
    with pacs() as peer, running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
        for film in films:
            assert send(node.port, film) == 0x0000
        node.delivered("2.25.4711.1")
        node.wait_for(lambda: "golden film" in node.command("explain", "2.25.4711.2").stdout, 30)
        node.wait_for(lambda: "altered 1.0.0 cannot be used: golden film" in node.command("status").stdout, 30)
        assert not [one for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.2"]

        put_back(wrong, right)
        (read,) = node.delivered("2.25.4711.2", patience_s=200)["generations"]
        node.wait_for(lambda: "cannot be used" not in node.command("status").stdout, 30)
        log = node.log()

    assert [True] == [bool(one["scores"]) for one in read["readings"]]
    assert log.index('"DeviceUnfit"') < log.index('"ModelBack"')
