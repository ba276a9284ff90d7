"""What is wrong with one model's answer takes nothing from another's result."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dicom_node import loading
from dicom_node.check import run_checks
from dicom_node.films import Source
from dicom_node.node import Node
from inference.errors import ModelError
from inference.models import load_any
from inference.models.folder import sha256_of
from inference.models.model import Model
from inference.serving.golden import Golden
from inference.types import Prediction
from structured_reports.port import Refusal
from tests.conftest import as_study
from tests.unit.dicom_node.test_roster import copied, pipeline, settings_with, table

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def source(chest_film: Path, tmp_path: Path) -> Source:
    return Source("a" * 64, as_study(chest_film, tmp_path / "film.dcm", 1))


def test_a_card_with_a_shift_that_is_no_number_takes_no_result_from_a_healthy_model(
    tmp_path: Path, source: Source
) -> None:
    broken = copied(tmp_path, "broken")
    card = broken / "card.toml"
    card.write_text(re.sub(r"^shift = .*", "shift = nan", card.read_text(), flags=re.MULTILINE))
    tables = table(copied(tmp_path, "sound")) + table(broken, "required = false")
    with pipeline(tmp_path, tables) as running:
        sound, refused = running.read([source], made_at=NOW, generation=1).readings

    assert isinstance(sound.outcome, Prediction)
    assert sound.objects
    assert isinstance(refused.outcome, Refusal)
    assert "findings.0.shift: nan: a number is finite" in refused.outcome.reason


def test_an_answer_of_which_nothing_can_be_made_is_one_model_s_refusal(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Model.prediction

    def prediction(model, film, answer):
        if model.card.name == "odd":
            answer = replace(answer, scores=np.full_like(answer.scores, 2.0))
        return answered(model, film, answer)

    monkeypatch.setattr(Model, "prediction", prediction)
    with pipeline(tmp_path, table(copied(tmp_path, "sound")) + table(copied(tmp_path, "odd"))) as running:
        sound, refused = running.read([source], made_at=NOW, generation=1).readings

    assert isinstance(sound.outcome, Prediction)
    assert isinstance(refused.outcome, Refusal)
    assert "score of pneumonia: 2.0 is not in [0, 1]" in refused.outcome.reason


def test_why_a_model_fails_on_its_first_film_is_said_once(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = Model.outputs

    def given(model, films):
        if model.card.name == "odd":
            raise ModelError("model.onnx: ONNX Runtime failed on cpu: the driver is gone")
        return outputs(model, films)

    monkeypatch.setattr(Model, "outputs", given)
    tables = table(copied(tmp_path, "sound")) + table(copied(tmp_path, "odd"), "required = false")
    with pipeline(tmp_path, tables) as running:
        _, refused = running.read([source], made_at=NOW, generation=1).readings

    assert isinstance(refused.outcome, Refusal)
    assert refused.outcome.reason == (
        "the model odd cannot be used: odd gives no result of a made-up image: "
        "model.onnx: ONNX Runtime failed on cpu: the driver is gone"
    )


def test_a_model_that_its_golden_film_took_out_of_work_shuts_out_no_sound_one_of_its_name(
    tmp_path: Path, source: Source
) -> None:
    twin = copied(tmp_path, "twin")
    unfit = Path(shutil.copytree(twin, tmp_path / "unfit"))
    film = Golden.load(unfit / "golden.npz")
    replace(film, scores=np.where(film.scores > 0.5, film.scores - 0.4, film.scores + 0.4)).save(unfit / "golden.npz")
    card = unfit / "card.toml"
    before, section = card.read_text().split("[golden]")
    digest = sha256_of(unfit / "golden.npz")
    card.write_text(before + "[golden]" + re.sub('sha256 = "[0-9a-f]+"', f'sha256 = "{digest}"', section))
    with pipeline(tmp_path, table(unfit, "required = false") + table(twin)) as running:
        readings = running.read([source], made_at=NOW, generation=1).readings
        faults = running.roster.faults()

    assert [Refusal, Prediction] == [type(one.outcome) for one in readings]
    assert readings[1].objects
    assert ["twin 1.0.0"] == list(faults)
    assert "golden film: a score differs" in faults["twin 1.0.0"]


def test_a_card_that_cannot_be_read_stops_no_other_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = copied(tmp_path, "broken")
    (broken / "card.toml").unlink()
    (broken / "card.toml").symlink_to("/proc/self/mem")  # not read, not even for root
    settings = settings_with(tmp_path, table(broken) + table(copied(tmp_path, "sound")))

    (fault,) = Node(settings).require_models("cpu")
    passed = run_checks(settings, Console())

    told = capsys.readouterr().out
    assert f"models.0: {broken}/card.toml: cannot be read (Input/output error)" == fault
    assert not passed
    assert re.search(r"fault +model broken on cpu: .*cannot be read", told)
    assert re.search(r"ok +model sound on cpu: .*golden film is answered", told)


def test_what_nobody_foresaw_in_the_loading_of_one_model_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def strange(folder: Path, **more: Any) -> Any:
        if folder.name == "strange":
            raise KeyError("7")
        return load_any(folder, **more)

    monkeypatch.setattr(loading, "load_any", strange)
    settings = settings_with(tmp_path, table(copied(tmp_path, "strange")) + table(copied(tmp_path, "sound")))

    (fault,) = Node(settings).require_models("cpu")
    run_checks(settings, Console())

    assert f"models.0: {tmp_path / 'strange'}: unexpected KeyError at " in fault
    assert re.search(r"ok +model sound on cpu", capsys.readouterr().out)


def test_a_model_that_fails_on_its_golden_film_is_one_fault_of_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_: Model) -> str:
        raise ModelError("the server is gone")

    monkeypatch.setattr(Model, "golden_fault", gone)

    assert not run_checks(settings_with(tmp_path, table(copied(tmp_path, "served"))), Console())

    assert "served 1.0.0, sha256" in (told := capsys.readouterr().out)
    assert "golden film: the server is gone" in told
