"""A report names every film, figure and picture, and hides no refusal."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_films import SEED, BrightnessNetwork, made_folder, training_log
from rich.progress import Progress
from typer.testing import CliRunner

from inference.changes import CHANGES, changed
from inference.cli import app
from inference.errors import InvalidRecipeError, MissingDataError, ModelError
from inference.evaluation import Evaluation, Protocol, protocol_of
from inference.evaluation.embedding import scatter
from inference.evaluation.evaluation import Measured
from inference.evaluation.words import calibrated
from inference.models import DEFAULT_MODEL, Model
from inference.models.port import Outputs
from inference.scoring import Scoring
from inference.types import Code, Finding, Radiograph

pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")

from inference.evaluation.page import write_page, write_report
from inference.evaluation.pictures.curves import learning_rows

BLANK = ("child-1.png", "child-4.png")
SECTIONS = (
    "verdict", "reference", "refused", "learning", "roc", "precision_recall", "confusion", "reliability", "embedding",
    "spread", "maps", "subgroups", "failures-1", "failures-2", "failures-3", "methods",
)  # fmt: skip


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def measured_on(model: Model, network: BrightnessNetwork, data: Path, protocol: Protocol, split: str) -> Measured:
    with Progress(disable=True) as progress:
        return Evaluation(replace(model, network=network, atlas=None), data, protocol, split).measured(progress)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_folder(tmp_path_factory.mktemp("films"), BLANK)


@pytest.fixture(scope="module")
def measured(model: Model, data: Path) -> Measured:
    return measured_on(model, BrightnessNetwork(), data, Protocol(SEED), "test")


@pytest.fixture(scope="module")
def out(measured: Measured, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    measured.write(out)
    with Progress(disable=True) as progress:
        write_page(measured, training_log(out / "training.jsonl"), out, progress)
    return out


def test_every_section_stands_in_the_page_and_can_be_reached(out: Path) -> None:
    page = Page((out / "index.html").read_text(encoding="utf-8"))

    assert list(SECTIONS) == [each["id"] for each in page.of("section")]
    assert [f"#{key}" for key in SECTIONS] == [each["href"] for each in page.of("a")]
    assert page.open == []


def test_every_picture_is_there_and_is_told_in_words(out: Path) -> None:
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    pictures = page.of("img")

    assert len(pictures) >= 9
    assert all(len(each["alt"] or "") > 20 for each in pictures)
    shown = {each["src"] for each in pictures} | {each["srcset"] for each in page.of("source")}
    assert shown == {f"pictures/{each.name}" for each in (out / "pictures").iterdir()}


def test_a_page_without_films_says_so_in_their_place(measured: Measured, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "of-a-journey.png").write_bytes(b"somebody's own")
    with Progress(disable=True) as progress:
        write_report(measured, tmp_path / "training.jsonl", tmp_path, progress)
        before = {each.name for each in (tmp_path / "pictures").iterdir()}
        write_report(measured, tmp_path / "training.jsonl", tmp_path, progress, films=False)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    written = {each.name for each in (tmp_path / "pictures").iterdir()}

    assert list(SECTIONS) == [each["id"] for each in page.of("section")]
    assert {"roc.png", "subgroups.png", "of-a-journey.png"} < written
    assert {"films-maps.png"} <= before - written
    assert not {name for name in written if name.startswith("films")}
    assert "written without films" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_page_asks_the_network_for_nothing_and_runs_nothing(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")

    assert not re.search(r"https?:|//\w|@import|url\(|<script|<link|\son\w+=", text)


def test_refused_films_are_counted_named_and_in_no_figure(measured: Measured, out: Path) -> None:
    values = measured.report.populations["children, split by subject"]
    text = (out / "index.html").read_text(encoding="utf-8")

    assert (10, {"pixels": 2}) == (values["films"], values["refused"])
    assert sum(values["confusion"].values()) == 10
    assert all(file in text for file in BLANK)
    assert "a contrast of 0.0000 of the range" in text


def test_predictions_have_a_line_for_each_film_of_a_population(measured: Measured, out: Path) -> None:
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    assert {name: len(each) for name, each in measured.readings.items()} == {
        name: sum(row["population"] == name for row in rows) for name in measured.readings
    }
    assert [row["file"] for row in rows if row["refused"]].count(BLANK[0]) == 2  # also at the original aspect ratio
    assert all(row["score"] or row["refused"] == "pixels" for row in rows)
    assert {row["split"] for row in rows} == {"test", "official-test"}


def test_a_film_is_shown_to_the_network_once(model: Model, data: Path) -> None:
    class Counting(BrightnessNetwork):
        shown: list[bytes] = []  # noqa: RUF012 - shared by the copies that `replace` makes

        def run(self, films: np.ndarray) -> object:
            self.shown.append(films.tobytes())
            return super().run(films)

    measured_on(model, Counting(), data, Protocol(SEED), "test")

    assert len(set(Counting.shown)) == len(Counting.shown) > 0


def test_the_figures_are_those_of_a_network_that_reads_rightly(measured: Measured) -> None:
    report = json.loads(measured.report.json())

    assert [each["auc"]["value"] for each in report["populations"].values()] == [1.0] * len(report["populations"])
    assert (4, 4) == (report["pointing"]["films"], report["pointing"]["hits"])
    assert report["pointing"]["chance"] == pytest.approx(0.09, abs=0.01)
    assert (4, 0) == (report["normal_adults"]["films"], report["normal_adults"]["flagged"])
    # Published scores that are all equal are a guess: half, and what the model has more.
    assert {(0.5, 0.5)} == {(each["auc"]["value"], each["difference"]["value"]) for each in report["reference"]}


def test_the_keys_that_others_read_are_there(measured: Measured) -> None:
    shipped = json.loads((DEFAULT_MODEL / "evaluation.json").read_text(encoding="utf-8"))

    report = json.loads(measured.report.json())

    assert set(shipped) <= set(report)
    population = next(iter(shipped["populations"].values()))
    assert all(set(population) <= set(each) for each in report["populations"].values())


def test_subgroups_hold_each_film_in_one_part_and_normal_children_in_each(measured: Measured) -> None:
    parts = [each for each in measured.report.subgroups if each.population == "adults, opacity against all others"]
    types = [each for each in measured.report.subgroups if each.quality == "type"]

    for quality in ("age", "sex", "view"):
        assert sum(each.films for each in parts if each.quality == quality) == parts[0].films
    assert {"bacterial", "viral"} == {each.name for each in types}
    assert all(0 < each.positive < each.films for each in types)


def test_a_score_that_follows_a_change_shows_in_the_part_shown_so(measured: Measured) -> None:
    shown = {(each.population, each.name): each for each in measured.report.subgroups if each.quality == "shown"}
    whole = {each.population: each for each in measured.report.subgroups if each.quality == "population"}

    assert {"children, split by subject", "adults, opacity against all others"} == {name for name, _ in shown}
    assert set(CHANGES) == {change for _, change in shown}
    assert all((each.films, each.positive) == (whole[name].films, whole[name].positive)
               for (name, _), each in shown.items())  # fmt: skip
    # The network calls what is dark.
    darker, lighter = (shown["children, split by subject", change].figures for change in ("darker", "lighter"))
    assert darker["sensitivity"]["value"] >= lighter["sensitivity"]["value"]
    assert darker["specificity"]["value"] < lighter["specificity"]["value"]


@pytest.mark.parametrize(("change", "rows", "columns"), [
    ("narrower by a sixth", 120, 100), ("wider by a fifth", 100, 120), ("larger by a seventh", 114, 114)])  # fmt: skip
def test_what_a_changed_film_shows_grows_on_the_same_canvas(change: str, rows: int, columns: int) -> None:
    film = np.zeros((240, 240), np.float32)
    film[70:170, 70:170] = 1.0

    shown = changed(Radiograph(film), change).pixels

    assert film.shape == shown.shape
    assert pytest.approx((rows, columns), abs=1.5) == (shown[:, 120].sum(), shown[120].sum())


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_keeps_a_film_and_its_range(change: str) -> None:
    film = np.random.default_rng(0).random((90, 100), np.float32)

    first, second = (changed(Radiograph(film), change).pixels for _ in range(2))

    assert (first == second).all()
    assert (film.shape, film.dtype) == (first.shape, first.dtype)
    assert 0.0 <= first.min() < first.max() <= 1.0
    assert np.abs(first - film).mean() > 0.01


def test_validation_films_are_measured_where_choices_are_made(model: Model, data: Path) -> None:
    measured = measured_on(model, BrightnessNetwork(), data, Protocol(SEED), "validation")
    splits = {each.case.film.split for readings in measured.readings.values() for each in readings}

    assert {"validation"} == splits
    assert "validation" == measured.report.split


def test_a_split_film_by_film_is_a_population_of_its_own(model: Model, data: Path) -> None:
    report = measured_on(model, BrightnessNetwork(), data, Protocol(SEED, "film"), "test").report

    assert "children, split by film" in report.populations
    assert not any("subject" in name or "official" in name for name in report.populations)
    assert "adults, opacity against all others" in report.populations


def test_a_network_without_maps_and_embedding_says_so_in_their_place(model: Model, data: Path, tmp_path: Path) -> None:
    plain = measured_on(model, BrightnessNetwork(has_maps=False, has_embedding=False), data, Protocol(SEED), "test")
    with Progress(disable=True) as progress:
        write_page(plain, tmp_path / "training.jsonl", tmp_path, progress)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")

    assert plain.report.pointing is None
    assert 2 == text.count("This model gives no embedding")
    assert "This model gives no maps." in text
    assert "has no training log by epoch" in text
    assert not {"films-maps.png", "embedding.png", "spread.png", "learning.png"} & {
        each.name for each in (tmp_path / "pictures").iterdir()
    }


def test_a_model_that_refuses_everything_still_has_a_report(model: Model, data: Path, tmp_path: Path) -> None:
    class Broken(BrightnessNetwork):
        def run(self, films: np.ndarray) -> object:
            said = super().run(films)
            return said._replace(logits=said.logits * np.float32(np.nan))

    broken = measured_on(model, Broken(), data, Protocol(SEED), "test")
    with Progress(disable=True) as progress:
        write_page(broken, tmp_path / "training.jsonl", tmp_path, progress)

    refused = broken.report.populations["adults, opacity against all others"]["refused"]
    assert {"not-finite": 12} == refused
    assert "not every value is finite" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_only_rows_of_epochs_are_learning_curves(tmp_path: Path) -> None:
    assert [1, 2, 3] == [row["epoch"] for row in learning_rows(training_log(tmp_path / "training.jsonl"))]
    assert [] == learning_rows(DEFAULT_MODEL / "absent.jsonl")


def test_epochs_without_a_validation_curve_stay_in_the_curve_of_the_training_films() -> None:
    rows = learning_rows(DEFAULT_MODEL / "training.jsonl")

    assert list(range(1, 25)) == [row["epoch"] for row in rows]
    assert 7 == sum("children_auc" in row for row in rows)


def test_a_calibration_error_is_judged_by_what_exact_scores_show() -> None:
    values = {"films": 50, "calibration_error_if_calibrated": {"value": 0.1, "low": 0.05, "high": 0.15}}

    inside = calibrated("adults", values | {"calibration_error": {"value": 0.12}})
    above = calibrated("adults", values | {"calibration_error": {"value": 0.2}})

    assert "agree with probabilities" in inside
    assert "are not probabilities" in above


def test_the_ratio_of_variances_is_that_of_two_known_clouds() -> None:
    random = np.random.default_rng(0)
    truth = np.arange(4000) % 2 == 0
    points = random.normal(0, 1, (4000, 3)) + truth[:, None] * np.array([6.0, 0, 0])

    found = scatter("made", points, truth)

    assert pytest.approx(9.0 / 3.0, rel=0.05) == found.ratio  # a quarter of the squared distance, by three dimensions
    assert pytest.approx(np.sqrt(8 / np.pi) / 6.0, rel=0.05) == float(found.distances[1].mean())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protocol]", "seed not found"),
        ('seed = 1\n[protocol]\nsplit = "week"', "'week' is none of"),
        ("=", "recipe"),
        ("seed = [1]", "seed is a whole number"),
        ("seed = 1\nprotocol = 2", "and protocol a table"),
        ("seed = true", r"recipe\.toml: seed: True; seed is a whole number"),
        ("seed = 1.5", r"recipe\.toml: seed: 1\.5; seed is a whole number"),
        ('seed = "x"', r"recipe\.toml: seed: 'x'; seed is a whole number"),
        (
            'seed = 1\n[protocol]\nsplit = "patient"',
            r"recipe\.toml: protocol\.split: 'patient' is none of subject, film",
        ),
        ("seed = 1\n[protocol]\nsplit = [1]", r"recipe\.toml: protocol\.split: \[1\] is none of subject, film"),
    ],
)
def test_a_recipe_that_does_not_tell_the_split_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidRecipeError, match=said):
        protocol_of(tmp_path)


def test_a_model_without_a_recipe_is_told_what_a_recipe_is_for(tmp_path: Path) -> None:
    said = "recipe.toml: not found; the seed and the protocol of a recipe decide which films are test films"

    with pytest.raises(InvalidRecipeError, match=said):
        protocol_of(tmp_path)


def test_a_recipe_that_is_no_text_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b'seed = 1 # \xff"')

    with pytest.raises(InvalidRecipeError, match=r"recipe.toml: byte 11 is no UTF-8; a recipe is TOML, in UTF-8"):
        protocol_of(tmp_path)


def test_a_folder_without_films_of_the_split_is_named(model: Model, tmp_path: Path) -> None:
    data = made_folder(tmp_path / "films")
    for name in ("kermany.csv", "nih.csv"):
        head = (data / name).read_text(encoding="utf-8").splitlines()[0]
        (data / name).write_text(head + "\n", encoding="utf-8")

    with pytest.raises(MissingDataError, match="none of 0 belongs to"):
        measured_on(model, BrightnessNetwork(), data, Protocol(SEED), "test")


def test_figures_need_no_matplotlib() -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = sys.modules['torch'] = sys.modules['sklearn'] = None; "
        "import inference.cli, inference.evaluation, inference.evaluation.comparison"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


EFFUSION = Code("60046008", "SCT", "Pleural effusion")


class TwofoldNetwork(BrightnessNetwork):
    """Has an output before that of pneumonia, which says the contrary and points elsewhere."""

    def run(self, films: np.ndarray) -> Outputs:
        said = super().run(films)
        assert said.cams is not None
        both = np.concatenate([-said.logits, said.logits], axis=1), np.concatenate([-said.cams, said.cams], axis=1)
        return said._replace(logits=both[0], cams=both[1])


def with_findings(model: Model, *findings: Finding) -> Model:
    """Return a model whose card has these findings, each with the output of its place."""
    scoring = Scoring((1.0,) * len(findings), (0.0,) * len(findings))
    return replace(model, card=replace(model.card, findings=findings), scoring=scoring)


def test_pneumonia_is_measured_wherever_it_stands_among_the_findings(model: Model, data: Path) -> None:
    (pneumonia,) = model.card.findings
    effusion = replace(pneumonia, name="effusion", code=EFFUSION, threshold=0.1)

    twofold = with_findings(model, effusion, pneumonia)
    report = measured_on(twofold, TwofoldNetwork(), data, Protocol(SEED), "test").report

    assert {1.0} == {each["auc"]["value"] for each in report.populations.values()}
    assert pneumonia.threshold == report.threshold
    assert report.pointing is not None
    assert (4, 4) == (report.pointing.films, report.pointing.hits)
    assert "pneumonia (233604007 of SCT)" == report.finding


def test_a_finding_of_another_scheme_is_known_by_its_name(model: Model, data: Path) -> None:
    (pneumonia,) = model.card.findings
    named = replace(pneumonia, code=Code("RID5350", "RADLEX", "pneumonia"))

    report = measured_on(with_findings(model, named), BrightnessNetwork(), data, Protocol(SEED), "test").report

    assert "pneumonia (RID5350 of RADLEX)" == report.finding


@pytest.mark.parametrize("name", ["effusion", "pneumonia"])
def test_a_model_of_another_finding_is_not_measured(model: Model, data: Path, name: str) -> None:
    effusion = replace(model.card.findings[0], name=name, code=EFFUSION)
    said = rf"finds {name} \(60046008 of SCT\); the films are labelled with pneumonia \(233604007 of SCT\)"

    with pytest.raises(ModelError, match=said):
        measured_on(with_findings(model, effusion), BrightnessNetwork(), data, Protocol(SEED), "test")


def test_evaluate_writes_the_report_of_the_shipped_model(data: Path, tmp_path: Path) -> None:
    chosen = ["--split", "validation", "--no-films"]

    result = CliRunner().invoke(app, ["evaluate", "--data", str(data), "--out", str(tmp_path), *chosen])

    assert result.exit_code == 0, result.output
    written = {each.name for each in tmp_path.iterdir()}
    assert {"evaluation.json", "predictions.csv", "index.html", "pictures"} == written
    assert "validation" == json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["split"]
    assert "Finding: pneumonia (233604007 of SCT)." in (tmp_path / "index.html").read_text(encoding="utf-8")
