"""Models that are there, models that are not, and what that does to each other."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dicom_node import slot as under_test
from dicom_node.errors import ModelUnavailableError, StartError
from dicom_node.films import Answered, Source
from dicom_node.node import Node
from dicom_node.pipeline import Pipeline
from dicom_node.roster import Roster
from dicom_node.settings import ModelSettings, Settings, load_settings
from inference.models import DEFAULT_MODEL
from structured_reports.port import Refusal
from tests.conftest import as_study


def copied(folder: Path, name: str, **changes: str) -> Path:
    """Return a copy of the shipped model under a name of its own."""
    target = Path(shutil.copytree(DEFAULT_MODEL, folder / name))
    card = target / "card.toml"
    text = card.read_text().replace('name = "pneumonia-lite0"', f'name = "{name}"', 1)
    text = re.sub(r'^version = ".*"', 'version = "1.0.0"', text, count=1, flags=re.MULTILINE)
    threshold = changes.get("threshold", "0.33")
    card.write_text(re.sub(r"^threshold = .*", f"threshold = {threshold}", text, flags=re.MULTILINE))
    return target


def settings_with(folder: Path, tables: str) -> Settings:
    file = folder / "node.toml"
    file.write_text(f'[work]\ndecoders = 1\n[node]\ndata_dir = "{folder / "data"}"\n{tables}')
    return load_settings(file)


def table(folder: Path, more: str = "") -> str:
    return f'[[models]]\nfolder = "{folder}"\n{more}\n'


@contextmanager
def pipeline(folder: Path, tables: str) -> Iterator[Pipeline]:
    with Node(settings_with(folder, tables)).pipeline("cpu", "serial") as running:
        yield running


@pytest.fixture
def source(chest_film: Path, tmp_path: Path) -> Source:
    return Source("a" * 64, as_study(chest_film, tmp_path / "film.dcm", 1, StudyDescription="CHEST"))


def outcomes(running: Pipeline, source: Source) -> dict[str, Answered | Refusal]:
    return {slot.name: outcome for slot, _, outcome in running.roster.opinions([source])}


def test_every_model_answers_and_the_film_is_decoded_once(tmp_path: Path, source: Source) -> None:
    tables = table(copied(tmp_path, "first")) + table(copied(tmp_path, "second", threshold="0.9"))
    with pipeline(tmp_path, tables) as running:
        first, second = outcomes(running, source).values()

    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    assert first.film is second.film
    assert [0.33, 0.9] == [one.prediction.scores[0].finding.threshold for one in (first, second)]


def test_a_model_is_asked_only_about_what_its_rule_means(tmp_path: Path, source: Source) -> None:
    tables = table(copied(tmp_path, "chest"), 'when = { StudyDescription = ["*chest*"] }')
    tables += table(copied(tmp_path, "bones"), 'when = { StudyDescription = ["*knee*"] }')
    with pipeline(tmp_path, tables) as running:
        assert ["chest 1.0.0"] == list(outcomes(running, source))


def test_a_broken_model_stops_only_the_studies_that_it_is_asked_about(tmp_path: Path, source: Source) -> None:
    broken = copied(tmp_path, "broken")
    (broken / "model.onnx").unlink()
    tables = table(copied(tmp_path, "sound"))
    with pipeline(tmp_path, tables + table(broken, 'when = { Modality = ["CT"] }')) as running:
        assert isinstance(outcomes(running, source)["sound 1.0.0"], Answered)
        assert "model.onnx: not found" in running.roster.faults()["broken"]
    with (
        pipeline(tmp_path, tables + table(broken)) as running,
        pytest.raises(ModelUnavailableError, match=r"the model broken cannot be used: .*model\.onnx: not found"),
    ):
        outcomes(running, source)


def test_a_broken_model_that_is_not_required_is_done_without(tmp_path: Path, source: Source) -> None:
    broken = copied(tmp_path, "broken")
    (broken / "model.onnx").write_bytes(b"other weights")
    with pipeline(tmp_path, table(copied(tmp_path, "sound")) + table(broken, "required = false")) as running:
        found = outcomes(running, source)

    assert isinstance(found["sound 1.0.0"], Answered)
    assert "sha256" in found["broken"].reason


def test_a_model_that_is_mended_is_used_again(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "RETRY_S", 0.0)
    broken = copied(tmp_path, "mended")
    (broken / "model.onnx").rename(tmp_path / "away")
    with pipeline(tmp_path, table(copied(tmp_path, "sound")) + table(broken)) as running:
        with pytest.raises(ModelUnavailableError):
            outcomes(running, source)
        (tmp_path / "away").rename(broken / "model.onnx")

        assert {"sound 1.0.0", "mended 1.0.0"} == set(outcomes(running, source))
        assert {} == running.roster.faults()


@pytest.mark.parametrize("number", [1, 2])
def test_a_node_of_which_no_model_can_be_loaded_does_not_start(tmp_path: Path, number: int) -> None:
    tables = ""
    for name in ("one", "two")[:number]:
        broken = copied(tmp_path, name)
        (broken / "card.toml").write_text("name = 3")
        tables += table(broken)

    with pytest.raises(StartError, match=r"models.0: .*card.toml") as caught, pipeline(tmp_path, tables):
        pass

    assert number == len(str(caught.value).splitlines())


def test_two_models_of_one_name_and_version_are_told_apart_by_refusing_the_second(
    tmp_path: Path, source: Source
) -> None:
    twin = Path(shutil.copytree(copied(tmp_path, "twin"), tmp_path / "other"))
    with pipeline(tmp_path, table(tmp_path / "twin") + table(twin)) as running:
        assert "two models differ in name or version" in running.roster.faults()["other"]


@dataclass
class FakeFilms:
    """Answers, or fails as its device does."""

    errors: list[Exception]
    answered: object = "the answer"
    closed: bool = False
    fitness: Any = field(default_factory=lambda: SimpleNamespace(fault=None))
    card: Any = field(default_factory=lambda: SimpleNamespace(name="fake", version="1"))

    def answer(self, source: Source) -> object:
        if self.errors:
            raise self.errors.pop(0)
        return self.answered

    def forget(self, sha256: str) -> None:
        """Keep no answer, as it never does."""

    def close(self) -> None:
        self.closed = True


def roster_of(*starts: FakeFilms | Exception) -> Roster:
    left = list(starts)

    def start(_settings: ModelSettings) -> Any:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return Roster([ModelSettings()], start)


def test_a_model_that_fails_at_work_is_loaded_anew_and_asked_again(source: Source) -> None:
    failed, anew = FakeFilms([RuntimeError("CUDA error 999")]), FakeFilms([])

    assert ["the answer"] == [outcome for _, _, outcome in roster_of(failed, anew).opinions([source])]
    assert failed.closed


def test_a_device_that_is_gone_makes_the_study_wait(source: Source) -> None:
    roster = roster_of(
        FakeFilms([RuntimeError("CUDA error 999")]), StartError("device: cuda; this ONNX Runtime has cpu")
    )

    with pytest.raises(ModelUnavailableError, match="fake 1 cannot be used: device: cuda"):
        list(roster.opinions([source]))


def test_an_instance_on_which_a_sound_model_fails_twice_is_refused(source: Source) -> None:
    roster = roster_of(FakeFilms([ZeroDivisionError()]), FakeFilms([ZeroDivisionError()]))
    ((_, _, refusal),) = roster.opinions([source])

    assert isinstance(refusal, Refusal)
    assert "the model fake 1 failed twice on the instance (ZeroDivisionError)" in refusal.reason


def test_a_disk_that_fails_is_no_fault_of_the_model(source: Source) -> None:
    films = FakeFilms([OSError("Input/output error")])

    with pytest.raises(OSError, match="Input/output"):
        list(roster_of(films).opinions([source]))
    assert not films.closed


def test_a_model_that_answers_its_golden_film_wrongly_is_asked_nothing(source: Source) -> None:
    films = FakeFilms([])
    films.fitness.fault = "golden film: a score differs by 0.5"

    with pytest.raises(ModelUnavailableError, match="golden film: a score differs"):
        list(roster_of(films).opinions([source]))
