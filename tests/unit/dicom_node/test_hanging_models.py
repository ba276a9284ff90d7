"""A model that comes to no end while it starts is given up after the second time, and others read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_node import loading
from dicom_node.errors import StartError
from dicom_node.films import Source
from dicom_node.loading import LOADING, REHEARSAL, loaded, suspects_of
from dicom_node.suspects import Suspects
from inference.card import read_card
from inference.errors import HungError
from inference.models import DEFAULT_MODEL
from inference.types import Prediction
from structured_reports.port import Refusal
from tests.conftest import as_study
from tests.unit.dicom_node.test_roster import copied, pipeline, table


@pytest.mark.parametrize("name", [LOADING, REHEARSAL])
def test_a_model_that_hung_twice_at_its_start_is_not_tried_again(tmp_path: Path, chest_film: Path, name: str) -> None:
    hanging = copied(tmp_path, "hanging")
    with (hanging / "model.onnx").open("ab") as weights:  # other weights than those of the sound model
        weights.write(b"\0")
    suspects = suspects_of(tmp_path / "data", "f" * 64)
    card = hanging / "card.toml"
    card.write_text(card.read_text().replace(read_card(hanging).weights.sha256, "f" * 64))
    suspects.note([name])
    suspects.note([name])
    source = Source("a" * 64, as_study(chest_film, tmp_path / "film.dcm", 1))
    with pipeline(tmp_path, table(hanging, "required = false") + table(copied(tmp_path, "sound"))) as running:
        refused, sound = running.read([source], made_at=datetime(2025, 1, 1, tzinfo=UTC), generation=1).readings

    assert isinstance(sound.outcome, Prediction)
    assert isinstance(refused.outcome, Refusal)
    assert f"came to no end twice at its {name}; remove {suspects.folder / name} to try again" in refused.outcome.reason


def test_a_model_that_comes_to_no_end_while_it_is_loaded_ends_the_process_and_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, let_go = [], threading.Event()

    def end_process(self: Suspects, names: list[str]) -> None:
        noted.append((self.folder, *names))
        let_go.set()

    def never(*_: object, **__: object) -> None:
        assert let_go.wait(30)
        raise RuntimeError("the process has ended")

    monkeypatch.setattr(Suspects, "end_process", end_process)
    monkeypatch.setattr(loading, "load_any", never)
    monkeypatch.setattr(loading, "LIMIT_S", 0.2)
    with pytest.raises(HungError, match=r"not at its end after 0\.2 s"):
        loaded(DEFAULT_MODEL, tmp_path, "cpu", 1)

    assert (suspects_of(tmp_path, read_card(DEFAULT_MODEL).weights.sha256).folder, LOADING) == noted[0]


def test_a_sound_model_is_loaded_under_the_watch(tmp_path: Path) -> None:
    assert "pneumonia-lite0" == loaded(DEFAULT_MODEL, tmp_path, "cpu", 1).card.name
    with pytest.raises(StartError, match=r"card\.toml: not found"):
        loaded(tmp_path, tmp_path, "cpu", 1)
