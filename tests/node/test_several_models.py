"""A whole node with several models: what each of them gives, and what a broken one does to the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import as_study
from tests.running import pacs, running_node, send
from tests.unit.dicom_node.test_roster import copied, table

pytestmark = pytest.mark.timeout(300)


def test_two_models_give_a_result_set_each_and_both_arrive(tmp_path: Path, chest_film: Path) -> None:
    tables = table(copied(tmp_path, "careful")) + table(copied(tmp_path, "bold", threshold="0.01"))
    film = as_study(chest_film, tmp_path / "film.dcm", 1)
    with pacs() as peer, running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
        assert send(node.port, film) == 0x0000
        (generation,) = node.delivered("2.25.4711.1")["generations"]
        told = node.command("explain", "2.25.4711.1").stdout

    results = generation["results"]
    uids = [one["uid"] for one in results if one["alternative_to"] != one["uid"]]  # not the other encodings
    assert {"careful 1.0.0", "bold 1.0.0"} == {one["model"] for one in results}
    assert len(uids) == len(set(uids))
    assert peer.took_one_form_of_each(results)
    reports = [one for one in peer.datasets() if one.Modality == "SR"]
    assert 2 == len({one.SeriesInstanceUID for one in reports})
    assert all(name in told for name in ("careful 1.0.0: pneumonia", "bold 1.0.0: pneumonia"))


def test_studies_wait_for_a_broken_model_while_others_are_read(tmp_path: Path, chest_film: Path) -> None:
    broken = copied(tmp_path, "broken")
    (broken / "model.onnx").rename(tmp_path / "away")
    tables = table(copied(tmp_path, "sound"), 'when = { StudyDescription = ["*chest*", "*both*"] }')
    tables += table(broken, 'when = { StudyDescription = ["*both*"] }')
    films = {
        number: as_study(chest_film, tmp_path / f"{number}.dcm", number, StudyDescription=description)
        for number, description in ((1, "CHEST"), (2, "BOTH"), (3, "KNEE"))
    }
    with pacs() as peer, running_node(tmp_path / "node", tables=tables + peer.destination()) as node:
        for film in films.values():
            assert send(node.port, film) == 0x0000

        (read,) = node.delivered("2.25.4711.1")["generations"]
        (refused,) = node.delivered("2.25.4711.3")["generations"]
        node.wait_for(lambda: "waits: the model broken" in node.command("explain", "2.25.4711.2").stdout, 30)
        node.wait_for(lambda: "the model broken cannot be used" in node.command("status").stdout, 30)
        assert "1 waiting for a model" in node.command("status").stdout
        assert node.command("check").returncode == 1
        assert not [one for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.2"]

        (tmp_path / "away").rename(broken / "model.onnx")
        (recovered,) = node.delivered("2.25.4711.2", patience_s=120)["generations"]

    assert ["sound 1.0.0"] == [one["model"] for one in read["readings"]]
    assert "no-model" == refused["reason_code"]
    assert refused["reason"].startswith("no model is set up for this study: Modality CR")
    assert ["sound 1.0.0", "broken 1.0.0"] == [one["model"] for one in recovered["readings"]]
    assert all(one["scores"] for one in recovered["readings"])
