"""Models are compared on films that none of them was trained on, pairwise and with what each refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_films import SEED, BrightnessNetwork, made_folder, write_table
from rich.progress import Progress
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import InferenceError, MissingDataError, ModelError
from inference.evaluation import Protocol
from inference.evaluation.comparison import Compared, Comparison, Contender, contenders_in
from inference.film_folder import FilmFolder
from inference.models import DEFAULT_MODEL, Model
from inference.models.port import Outputs

pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")

from inference.evaluation.comparison_page import disagreed, write_comparison

ADULTS = "adults, opacity against all others"


class ReversedNetwork(BrightnessNetwork):
    """Says the contrary."""

    def run(self, films: np.ndarray) -> Outputs:
        said = super().run(films)
        return said._replace(logits=-said.logits)


class HastyNetwork(BrightnessNetwork):
    """Gives no number for films with pneumonia."""

    def run(self, films: np.ndarray) -> Outputs:
        said = super().run(films)
        return said._replace(logits=np.where(said.logits > 0, np.float32(np.nan), said.logits))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_folder(tmp_path_factory.mktemp("films"))


def contender(model: Model, label: str, network: BrightnessNetwork, protocol: Protocol | None = None) -> Contender:
    return Contender(label, replace(model, network=network, atlas=None), protocol or Protocol(SEED), Path("in") / label)


def compared_of(contenders: list[Contender], data: Path) -> Compared:
    with Progress(disable=True) as progress:
        return Comparison(contenders, data).compared(progress)


@pytest.fixture(scope="module")
def opposed(model: Model, data: Path) -> Compared:
    return compared_of(
        [contender(model, "right", BrightnessNetwork()), contender(model, "wrong", ReversedNetwork())], data
    )


def folder_of(path: Path, seed: int, split: str = "subject") -> Path:
    shutil.copytree(DEFAULT_MODEL, path)
    (path / "recipe.toml").write_text(f'seed = {seed}\n[protocol]\nsplit = "{split}"\n', encoding="utf-8")
    return path


def test_a_model_beside_itself_differs_by_nothing_in_every_figure(model: Model, data: Path) -> None:
    same = compared_of([contender(model, name, BrightnessNetwork()) for name in ("one", "two")], data)
    differences = [
        each for contest in same.contests for standing in contest.standings for each in standing.differences.values()
    ]

    assert len(differences) > 0
    assert all(set(each.values()) <= {0.0, None} for each in differences)
    assert not any(disagreed(same, name) for name in same.readings)


def test_a_reversed_model_loses_all_that_the_other_has(opposed: Compared) -> None:
    (contest,) = [each for each in opposed.contests if each.population == ADULTS]
    first, second = contest.standings

    assert (1.0, 0.0) == (first.figures["auc"]["value"], second.figures["auc"]["value"])
    assert {"value": -1.0, "low": -1.0, "high": -1.0} == second.differences["auc"]
    assert {"value": 0.0, "low": 0.0, "high": 0.0} == first.differences["auc"]


def test_the_films_on_which_calls_differ_are_all_of_them_where_models_oppose(opposed: Compared) -> None:
    rows = disagreed(opposed, ADULTS)
    gaps = [abs((right.score or 0.0) - (wrong.score or 0.0)) for right, wrong in rows]

    assert 12 == len(rows)
    assert sorted(gaps, reverse=True) == gaps


def test_only_films_that_every_model_was_kept_from_are_read(model: Model, data: Path) -> None:
    folder, protocols = FilmFolder(data), [Protocol(SEED), Protocol(SEED, "film")]
    contenders = [contender(model, each.split, BrightnessNetwork(), each) for each in protocols]

    common = Comparison(contenders, data).common()

    files = {film.file for film in common.films}
    assert files
    for protocol in protocols:
        assert not files & {film.file for film in protocol.seen(folder)}
        assert files <= {film.file for film in protocol.kept(folder, "test")}


def test_films_of_subjects_that_a_model_had_seen_are_counted(model: Model, tmp_path: Path) -> None:
    table = made_folder(tmp_path) / "kermany.csv"
    with table.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    write_table(table, [row | {"group": "one child"} for row in rows])
    by_film = contender(model, "film", BrightnessNetwork(), Protocol(SEED, "film"))

    common = Comparison([by_film, by_film], tmp_path).common()

    children = sum(film.population == "children" for film in common.films)
    assert 0 < children < len(common.films)
    assert {"film": children} == common.acquainted


def test_models_without_a_common_test_film_are_not_compared(data: Path, tmp_path: Path) -> None:
    kept = {seed: files_kept(data, seed) for seed in range(40)}
    apart = next(seed for seed in kept if not kept[seed] & files_kept(data, SEED))
    folders = [str(folder_of(tmp_path / str(seed), seed, "film")) for seed in (SEED, apart)]
    where = ["--data", str(only_children(data, tmp_path / "children")), "--out", str(tmp_path / "out")]

    result = CliRunner().invoke(app, ["compare", *folders, *where])

    assert 2 == result.exit_code
    assert "no test film in common" in result.output
    assert not (tmp_path / "out").exists()


def files_kept(data: Path, seed: int) -> set[str]:
    return {film.file for film in FilmFolder(data).films(seed, "film") if film.split == "test"}


def only_children(data: Path, path: Path) -> Path:
    """Return a copy of a data folder without adults, whose test films every model has in common."""
    shutil.copytree(data, path)
    head = (path / "nih.csv").read_text(encoding="utf-8").splitlines()[0]
    (path / "nih.csv").write_text(head + "\n", encoding="utf-8")
    return path


def test_a_film_that_one_model_refuses_counts_for_none(model: Model, data: Path) -> None:
    contenders = [contender(model, "whole", BrightnessNetwork()), contender(model, "hasty", HastyNetwork())]
    (contest,) = [each for each in compared_of(contenders, data).contests if each.population == ADULTS]

    assert (8, 0) == (contest.films, contest.positive)
    assert [{}, {"not-finite": 4}] == [dict(each.refused) for each in contest.standings]


def test_one_model_is_no_comparison() -> None:
    with pytest.raises(MissingDataError, match="1 given; a comparison needs 2"):
        contenders_in([DEFAULT_MODEL])


def test_every_model_that_cannot_be_compared_is_named(tmp_path: Path) -> None:
    empty, shuffled = tmp_path / "empty", folder_of(tmp_path / "shuffled", SEED, "week")
    empty.mkdir()

    with pytest.raises(InferenceError) as raised:
        contenders_in([DEFAULT_MODEL, empty, shuffled, empty])

    assert [
        f"{empty / 'card.toml'}: not found; a model folder has a card.toml",
        f"{shuffled / 'recipe.toml'}: protocol.split: 'week' is none of subject, film",
    ] == str(raised.value).splitlines()


class LostNetwork(BrightnessNetwork):
    """A server that goes away."""

    def run(self, films: np.ndarray) -> Outputs:
        raise ModelError("chest on 10.0.0.1:8000: no answer")


def test_a_model_that_fails_amid_a_comparison_is_named_by_its_folder(model: Model, data: Path) -> None:
    with pytest.raises(ModelError, match=r"^in/far: chest on 10\.0\.0\.1:8000: no answer$"):
        compared_of([contender(model, "near", BrightnessNetwork()), contender(model, "far", LostNetwork())], data)


def test_a_model_of_another_finding_is_not_compared(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "effusion", SEED)
    card = (folder / "card.toml").read_text(encoding="utf-8")
    renamed = card.replace('"pneumonia"', '"effusion"').replace("233604007", "60046008")
    renamed = renamed.replace('"Pneumonia"', '"Pleural effusion"')
    (folder / "card.toml").write_text(renamed, encoding="utf-8")

    with pytest.raises(ModelError, match=r"finds effusion \(60046008 of SCT\); the films are labelled with pneumonia"):
        contenders_in([DEFAULT_MODEL, folder])


def test_models_of_one_name_are_told_apart() -> None:
    first, second = contenders_in([DEFAULT_MODEL, DEFAULT_MODEL])

    assert f"{first.label} (2)" == second.label


def test_the_page_tells_the_films_the_figures_and_the_disagreement(opposed: Compared, tmp_path: Path) -> None:
    opposed.write(tmp_path)
    with Progress(disable=True) as progress:
        write_comparison(opposed, tmp_path, progress)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    written = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))

    assert f"{len(opposed.common.films)} films are test films of every model" in text
    assert len(opposed.common.films) == written["films"]
    assert {"pneumonia (233604007 of SCT)"} == {each["finding"] for each in written["models"]}
    assert "pneumonia (233604007 of SCT)" in text
    assert "-1.000" in text
    assert {"films", "verdict", "roc", "disagreement-1", "methods"} <= set(re.findall(r'<section id="([\w-]+)"', text))
    assert all(alt.strip() for alt in re.findall(r'<img [^>]*alt="([^"]*)"', text))
    assert set(re.findall(r'(?:src|srcset)="pictures/([^"]+)"', text)) == {
        each.name for each in (tmp_path / "pictures").iterdir()
    }
    assert not re.search(r"https?:|<script|<link", text)


def test_compare_writes_its_report_for_model_folders(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folders = [str(DEFAULT_MODEL), str(folder_of(tmp_path / "film", SEED, "film"))]

    result = CliRunner().invoke(app, ["compare", *folders, "--data", str(data), "--out", str(out)])

    assert result.exit_code == 0, result.output
    assert {"comparison.json", "predictions.csv", "index.html", "pictures"} == {each.name for each in out.iterdir()}
