"""The shipped model loads, explains itself and refuses what it must."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import DigestMismatchError, InvalidCardError, MissingWeightsError, ModelError
from inference.film import read_film
from inference.models import DEFAULT_MODEL, Answer, Model, load_model
from inference.models.check import faults_of_folder
from inference.preprocessing import PreparedFilm
from inference.types import Radiograph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))


@pytest.fixture(scope="module")
def prepared(model: Model, clinical_film: Path) -> PreparedFilm:
    return model.prepare(read_film(clinical_film))


@pytest.fixture(scope="module")
def answer(model: Model, prepared: PreparedFilm) -> Answer:
    (answer,) = model.predict([prepared])
    assert isinstance(answer, Answer)
    return answer


def with_card(folder: Path, old: str, new: str) -> Path:
    card = folder / "card.toml"
    text = card.read_text(encoding="utf-8")
    assert old in text
    card.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_nothing_is_wrong_with_the_shipped_folder() -> None:
    assert list(faults_of_folder(DEFAULT_MODEL)) == []


def test_the_weights_are_small_enough_to_ship() -> None:
    assert (DEFAULT_MODEL / "model.onnx").stat().st_size < 25_000_000


def test_the_weights_do_not_tell_where_they_were_exported() -> None:
    graph = (DEFAULT_MODEL / "model.onnx").read_bytes()

    assert b'File "' not in graph
    assert b"site-packages" not in graph


def test_the_figures_beside_the_weights_are_those_of_these_weights(model: Model) -> None:
    figures = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))

    assert (model.card.digest, model.card.findings[0].threshold) == (figures["digest"], figures["threshold"])
    assert (model.card.name, model.card.version) == (figures["model"], figures["version"])


def test_the_report_beside_the_weights_is_that_of_these_weights_and_shows_no_film(model: Model) -> None:
    report = DEFAULT_MODEL / "report"
    page = (report / "index.html").read_text(encoding="utf-8")
    figures = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))
    named = set(re.findall(r'(?:src|srcset)="pictures/([^"]+)"', page))

    assert model.card.digest in page
    assert f"{model.card.name} {model.card.version}" in page
    assert all(f"{values['auc']['value']:.3f}" in page for values in figures["populations"].values())
    assert named == {each.name for each in (report / "pictures").iterdir()}
    assert not any(name.startswith("films") for name in named)


def test_the_scores_beside_the_weights_give_the_measured_accuracy(model: Model) -> None:
    figures = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))
    with (DEFAULT_MODEL / "report" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]

    for name, values in figures["populations"].items():
        calls = [
            (float(row["score"]) >= figures["threshold"]) == (row["label"] == "1")
            for row in rows
            if row["population"] == name
        ]
        assert pytest.approx(values["accuracy"]["value"], abs=5e-5) == sum(calls) / len(calls)


def test_the_clinical_film_passes_the_guard(model: Model, clinical_film: Path) -> None:
    assert model.refusal(read_film(clinical_film).attributes) is None


def test_the_mean_of_the_map_is_the_logit(model: Model, answer: Answer) -> None:
    score = model.scoring.scores(answer.cams.mean(axis=(1, 2)))

    assert pytest.approx(score, abs=1e-5) == answer.scores


def test_a_batch_answers_as_its_films_do_alone(model: Model, prepared: PreparedFilm, answer: Answer) -> None:
    dark = model.prepare(Radiograph(np.linspace(0, 1, 300 * 200, dtype=np.float32).reshape(300, 200)))

    batch = model.predict([dark, prepared])

    assert pytest.approx(answer.scores, abs=1e-5) == batch[1].scores
    assert pytest.approx(answer.cams, abs=1e-3) == batch[1].cams


def test_no_films_give_no_answers(model: Model) -> None:
    assert model.predict([]) == []


def test_threads_share_a_model(model: Model, prepared: PreparedFilm, answer: Answer) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: model.predict([prepared])[0], range(8)))

    assert all((each.scores == answer.scores).all() for each in answers)


def test_a_saliency_lies_on_the_source_grid_with_its_peak_at_one(model: Model, prepared: PreparedFilm) -> None:
    cams = np.zeros((1, 6, 6), np.float32)
    cams[0, 1, 4] = 2.0

    saliency = model.prediction(prepared, Answer(np.array([0.7], np.float32), cams)).scores[0].saliency

    assert saliency is not None
    assert ((1955, 1841), np.float32) == (saliency.shape, saliency.dtype)
    assert (saliency.min(), saliency.max()) == (0.0, 1.0)
    row, column = np.unravel_index(saliency.argmax(), saliency.shape)
    assert row < 1955 / 3
    assert column > 1841 / 2


def test_no_saliency_is_made_where_nothing_speaks_for_the_finding(model: Model, prepared: PreparedFilm) -> None:
    nothing = Answer(np.array([0.1], np.float32), np.full((1, 6, 6), -1.0, np.float32))

    assert model.prediction(prepared, nothing).scores[0].saliency is None


def test_the_finding_is_coded(model: Model) -> None:
    (finding,) = model.card.findings

    assert (finding.code.value, finding.code.scheme, finding.site.value) == ("233604007", "SCT", "39607008")
    assert model.card.explanation is not None
    assert (model.card.explanation.value, model.card.explanation.scheme) == ("130402", "DCM")


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "model.onnx").unlink()

    with pytest.raises(MissingWeightsError, match=r"model\.onnx: not found"):
        load_model(folder)


def test_a_folder_without_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"card\.toml: not found"):
        load_model(tmp_path)


def test_altered_weights_are_not_run(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as weights:
        weights.write(b"\0")

    with pytest.raises(DigestMismatchError, match=r"sha256 is [0-9a-f]{64}, the card expects [0-9a-f]{64}"):
        load_model(folder)


def test_every_fault_of_a_card_is_named_at_once(folder: Path) -> None:
    with_card(with_card(folder, "threshold = ", "treshold = "), "side = ", "side = -")

    with pytest.raises(InvalidCardError, match=r"(?s)(threshold.*side|side.*threshold)"):
        load_model(folder)


def test_a_card_that_contradicts_the_weights_is_refused(folder: Path) -> None:
    with_card(folder, "side = 224", "side = 192")

    with pytest.raises(InvalidCardError, match="the network takes 224"):
        load_model(folder)


def test_an_unknown_kind_is_named(folder: Path) -> None:
    with_card(folder, 'kind = "onnx"', 'kind = "pickle"')

    with pytest.raises(InvalidCardError, match="'pickle' is none of onnx"):
        load_model(folder)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="device: tpu; the rule is cpu, cuda or cuda:N"):
        load_model(DEFAULT_MODEL, device="tpu")


def test_predict_prints_one_line_a_file(clinical_film: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no film")

    result = CliRunner().invoke(app, ["predict", str(clinical_film), str(tmp_path), "--jsonl"])

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["refused"] for line in lines] == [None, "format"]
    assert 0.0 <= lines[0]["scores"]["pneumonia"] <= 1.0
    assert lines[1]["scores"] == {}


def test_predict_stops_at_a_folder_without_model(clinical_film: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "--model", str(tmp_path), str(clinical_film)])

    assert result.exit_code == 2


def test_check_names_what_is_missing(folder: Path) -> None:
    (folder / "evaluation.json").unlink()

    result = CliRunner().invoke(app, ["check", str(folder)])

    assert result.exit_code == 1
    assert "evaluation.json: not found" in result.stdout


def test_serving_needs_no_torch() -> None:
    program = "import sys; sys.modules['torch'] = None; import inference.cli, inference.evaluation"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_description_gives_the_measured_figures() -> None:
    figures = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))
    rows = [line for line in (DEFAULT_MODEL / "README.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]

    for name, values in figures["populations"].items():
        (row,) = [row for row in rows if row.startswith(f"| {name} |")]
        for figure in ("auc", "accuracy", "sensitivity", "specificity", "calibration_error"):
            assert f"{values[figure]['value']:.3f} [" in row


def test_evaluate_measures_the_films_that_the_recipe_kept_for_tests(
    chest_films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "inference.evaluation.populations.POPULATIONS",
        {"subject": {"adults": lambda film: film.stratum == "adults-Normal" and film.split == "test"}},
    )

    result = CliRunner().invoke(app, ["evaluate", "--data", str(chest_films), "--out", str(tmp_path)])

    figures = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    shipped = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))
    assert result.exit_code == 0
    # Normal adults are the negative films of a population of the shipped figures.
    expected = shipped["populations"]["adults, opacity against normal"]["specificity"]["value"]
    assert figures["populations"]["adults"]["specificity"]["value"] == expected
    assert figures["populations"]["adults"]["auc"]["value"] is None
