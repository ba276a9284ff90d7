"""Training runs from a recipe, gives an exact map, and never mixes subjects between splits."""

from __future__ import annotations

import io
import json
import re
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from inference.errors import DivergedError, InvalidRecipeError, MissingDataError, OutputError
from inference.figures import Outcome
from inference.film_folder import FilmFolder, LabelledFilm, child_split, radiologist_target, text_targets

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from inference.models import load_model  # noqa: E402 - only with torch
from inference.training.augmentation import (  # noqa: E402
    BANDS_PX,
    Augmentation,
    banded,
    curved,
    shaded,
)
from inference.training.calibration import best_scaling, best_threshold  # noqa: E402
from inference.training.export import export  # noqa: E402
from inference.training.loop import Step, box_loss  # noqa: E402
from inference.training.network import FilmClassifier, Mirrored, new_classifier  # noqa: E402
from inference.training.pool import FilmPool  # noqa: E402
from inference.training.recipe import read_recipe  # noqa: E402
from inference.training.run import CHECKPOINT, Trainer  # noqa: E402
from inference.training.teaching import Teaching  # noqa: E402
from inference.types import Radiograph  # noqa: E402

RECIPE = Path(__file__).parents[3] / "inference" / "recipes" / "teacher-children.toml"


@pytest.fixture(scope="module")
def films(chest_films: Path) -> list[LabelledFilm]:
    return FilmFolder(chest_films).films(seed=1)


@pytest.fixture(scope="module")
def classifier() -> FilmClassifier:
    classifier = new_classifier("efficientnet-lite0", findings=1, seed=3).eval()
    torch.nn.init.normal_(classifier.head.weight, std=0.05)
    return classifier


def test_a_logit_is_the_mean_of_its_map(classifier: FilmClassifier) -> None:
    logits, cams, _ = classifier(torch.randn(2, 1, 96, 96))

    assert pytest.approx(cams.mean(dim=(2, 3)).detach().numpy(), abs=1e-5) == logits.detach().numpy()


def test_the_map_equals_grad_cam(classifier: FilmClassifier) -> None:
    features = classifier.features(torch.randn(1, 1, 96, 96)).maps.detach().requires_grad_()
    logit = classifier.head(features).mean(dim=(2, 3))
    (gradient,) = torch.autograd.grad(logit.sum(), features)
    # Selvaraju et al., ICCV 2017: weights are the gradients pooled over the map.
    weights = gradient.sum(dim=(2, 3), keepdim=True)
    grad_cam = (weights * features).sum(dim=1)

    assert pytest.approx(grad_cam.detach().numpy(), abs=1e-4) == classifier.head(features)[:, 0].detach().numpy()


def test_a_cell_of_the_map_lies_over_what_it_shows(classifier: FilmClassifier) -> None:
    films = torch.randn(4, 1, 224, 224, requires_grad=True)
    (gradient,) = torch.autograd.grad(classifier(films).cams[:, 0, 6, 6].sum(), films)
    strength = gradient.square().sum(dim=(0, 1, 3))
    rows = torch.arange(224) + 0.5

    half_a_cell, centre = 8.0, 6.5 * 16.0
    assert abs(float((strength * rows).sum() / strength.sum()) - centre) < 0.75 * half_a_cell


def test_the_exported_graph_gives_what_the_network_gives(classifier: FilmClassifier, tmp_path: Path) -> None:
    from inference.models.onnx import OnnxNetwork

    export(classifier, 96, tmp_path / "model.onnx")
    films = torch.randn(3, 1, 96, 96)
    given = OnnxNetwork(tmp_path / "model.onnx").run(films.numpy())

    with torch.inference_mode():
        expected = classifier(films)
    assert pytest.approx(expected.logits.numpy(), abs=1e-4) == given.logits
    assert pytest.approx(expected.cams.numpy(), abs=1e-3) == given.cams
    assert pytest.approx(expected.embedding.numpy(), abs=1e-4) == given.embedding
    assert str(Path(__file__).parents[3]).encode() not in (tmp_path / "model.onnx").read_bytes()


def short_recipe(folder: Path) -> Path:
    text = RECIPE.read_text(encoding="utf-8")
    start, end = text.index("steps = "), text.index("batch = 32")
    text = text[:start] + "steps = [{ epochs = 1, side = 64 }]\nfilms_per_epoch = 32\n" + text[end:]
    text = (
        text.replace("batch = 32", "batch = 8").replace("side = 192", "side = 64").replace("threads = 2", "threads = 1")
    )
    start, end = text.index("[shares]"), text.index("[input]")
    text = text[:start] + '[shares]\n"children-" = 0.5\n"adults-" = 0.5\n\n' + text[end:]
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder / "recipe.toml"


def test_a_short_run_gives_a_model_that_reads_films(chest_films: Path, tmp_path: Path) -> None:
    with Progress(console=Console(file=io.StringIO())) as progress:
        Trainer(short_recipe(tmp_path), chest_films, tmp_path / "model", progress, most_films=100).run()

    model = load_model(tmp_path / "model")

    shown = {task.description.split(",")[0]: (task.completed, task.total) for task in progress.tasks}
    assert (4, 5) == shown["epoch 1"]  # the number of batches is an upper bound
    assert {(300, 300)} == {shown[f"atlas: {name} films"] for name in ("training", "validation")}
    assert shown["atlas: spoiled films"][0] == shown["atlas: spoiled films"][1] == 170
    assert model.preprocessing.side == 64
    assert model.network.outputs == 1


def test_a_pupil_starts_from_its_teachers_and_learns_what_they_say(chest_films: Path, tmp_path: Path) -> None:
    recipe = short_recipe(tmp_path)
    Trainer(recipe, chest_films, tmp_path / "teacher", Progress(disable=True), most_films=100).run()
    asked = '[teaching]\nrecipes = ["recipe.toml"]\nweight = 1.0\n\n'
    checkpoint = tmp_path / "teacher" / CHECKPOINT
    text = recipe.read_text(encoding="utf-8").replace("[input]", asked + "[input]")
    (tmp_path / "pupil.toml").write_text(text, encoding="utf-8")
    teaching = Teaching.of(read_recipe(tmp_path / "pupil.toml"), [checkpoint])
    assert teaching is not None
    pupil = new_classifier("efficientnet-lite0", findings=1, seed=9)
    teaching.prepare(pupil)
    films = torch.randn(2, 1, 64, 64)

    with torch.no_grad():
        said = pupil.eval()(films).logits.sigmoid()
    assert pytest.approx(said.numpy(), abs=1e-6) == teaching.targets(films, torch.ones(2, 1)).numpy()
    Trainer(
        tmp_path / "pupil.toml", chest_films, tmp_path / "model", Progress(disable=True), 100, teachers=(checkpoint,)
    ).run()
    assert load_model(tmp_path / "model").network.outputs == 1


def test_a_recipe_without_steps_leaves_the_weights_that_it_begins_with(chest_films: Path, tmp_path: Path) -> None:
    recipe, progress = short_recipe(tmp_path), Progress(disable=True)
    Trainer(recipe, chest_films, tmp_path / "teacher", progress, most_films=60).run()
    asked = '[teaching]\nrecipes = ["recipe.toml"]\nreads = "still"\n\n[input]'
    text = recipe.read_text(encoding="utf-8").replace("[input]", asked)
    text = text.replace("steps = [{ epochs = 1, side = 64 }]", 'steps = []\nkeep = "best"')
    checkpoint = tmp_path / "teacher" / CHECKPOINT
    Trainer(written(tmp_path / "mean.toml", text), chest_films, tmp_path / "mean", progress, 60, (checkpoint,)).run()

    begun, kept = (load_file(each) for each in (checkpoint, tmp_path / "mean" / CHECKPOINT))
    (row,) = (json.loads(line) for line in (tmp_path / "mean" / "training.jsonl").read_text().splitlines())
    assert set(begun) == set(kept)
    assert all(torch.equal(begun[name], kept[name]) for name in begun)
    assert 0 == row["epoch"]
    assert "loss" not in row
    assert 0.0 <= row["children_auc"] <= 1.0


def test_teachers_that_read_still_films_change_the_targets_and_no_batch(chest_films: Path, tmp_path: Path) -> None:
    recipe = short_recipe(tmp_path)
    Trainer(recipe, chest_films, tmp_path / "teacher", Progress(disable=True), most_films=60).run()
    asked = '[teaching]\nrecipes = ["recipe.toml"]\nweight = 0.5\nreads = "still"\n\n[input]'
    pupil = written(tmp_path / "pupil.toml", recipe.read_text(encoding="utf-8").replace("[input]", asked))
    teaching = Teaching.of(read_recipe(pupil), [tmp_path / "teacher" / CHECKPOINT])
    assert teaching is not None
    pool = FilmPool.load(FilmFolder(chest_films), FilmFolder(chest_films).films(20180222)[:4])

    taught = teaching.taught(pool, (0.85, 1.75), seed=1, progress=Progress(disable=True))

    model = load_model(tmp_path / "teacher")
    answers = [model.scoring.scores(model.network.run(model.prepare(Radiograph(each)).tensor[None]).logits)[0, 0]
               for each in pool.all()]  # fmt: skip
    halves = [2.0 * film.target - label.target for film, label in zip(taught.films, pool.films, strict=True)]
    assert pytest.approx(answers, abs=0.1) == halves  # the other view of each film is alike
    labels = torch.full((2, 1), 0.25)
    assert torch.equal(labels, teaching.targets(torch.randn(2, 1, 64, 64), labels))


def test_a_pupil_begins_with_the_teachers_that_are_named(tmp_path: Path) -> None:
    asked = '[teaching]\nrecipes = ["a.toml", "b.toml", "c.toml"]\nstart = ["c.toml"]\n\n'
    text = RECIPE.read_text(encoding="utf-8").replace("[input]", asked + "[input]")
    recipe = read_recipe(written(tmp_path / "named.toml", text))
    paths = [weights_of_head(tmp_path / f"{level}.safetensors", float(level)) for level in range(3)]

    teaching = Teaching.of(recipe, paths)

    assert teaching is not None
    assert [2.0] == [float(each.head.weight.detach().mean()) for each in teaching.begun]
    assert len(teaching.teachers) == 3


def test_a_pupil_may_begin_with_a_network_that_teaches_nothing(tmp_path: Path) -> None:
    asked = '[teaching]\nrecipes = ["a.toml"]\nstart = ["b.toml"]\n\n'
    recipe = read_recipe(
        written(tmp_path / "named.toml", RECIPE.read_text(encoding="utf-8").replace("[input]", asked + "[input]"))
    )
    paths = [weights_of_head(tmp_path / f"{level}.safetensors", level) for level in (0.0, 1.0)]

    teaching = Teaching.of(recipe, paths)

    assert teaching is not None
    assert [0.0] == [float(each.head.weight.detach().mean()) for each in teaching.teachers]
    assert [1.0] == [float(each.head.weight.detach().mean()) for each in teaching.begun]
    with pytest.raises(MissingDataError, match=r"1 given; the recipe's teachers: a\.toml, b\.toml"):
        Teaching.of(recipe, paths[:1])


def test_networks_of_one_split_may_differ_in_what_is_drawn(tmp_path: Path) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    one, another = (read_recipe(written(tmp_path / f"{each}.toml", f"variation = {each}\n{text}")) for each in (0, 1))

    assert one.seed == another.seed
    assert one.drawn == one.seed != another.drawn


def weights_of_head(path: Path, level: float) -> Path:
    """Write weights of a network whose head is all of one level."""
    network = new_classifier("efficientnet-lite0", findings=1, seed=0)
    torch.nn.init.constant_(network.head.weight, level)
    save_file({name: each.contiguous() for name, each in network.state_dict().items()}, path)
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path, chest_films: Path) -> None:
    recipe = RECIPE.with_name("pneumonia-lite0.toml")

    with pytest.raises(
        MissingDataError, match=r"0 given.*teacher-fine\.toml, teacher-both\.toml, teacher-makers\.toml"
    ):
        Trainer(recipe, chest_films, tmp_path, Progress(disable=True)).run()


def test_the_recipes_of_teachers_lie_beside_the_recipes_that_name_them() -> None:
    named, met = ["pneumonia-lite0.toml"], set()
    while named:
        recipe = read_recipe(RECIPE.with_name(name := named.pop()))
        met.add(name)
        named += recipe.teaching.named if recipe.teaching else ()

    assert "teacher-children.toml" in met
    assert met >= {path.name for path in RECIPE.parent.glob("teacher-*.toml")}


def test_a_mirrored_network_says_the_same_of_a_film_and_its_mirror_image(classifier: FilmClassifier) -> None:
    both = FilmClassifier(Mirrored(classifier.features), channels=classifier.head.in_channels).eval()
    both.head = classifier.head
    films = torch.randn(2, 1, 96, 96)

    with torch.inference_mode():
        own, mirror = both(films), both(films.flip(3))

    assert pytest.approx(own.logits.numpy(), abs=1e-5) == mirror.logits.numpy()
    assert pytest.approx(own.cams.numpy(), abs=1e-4) == mirror.cams.flip(3).numpy()
    assert pytest.approx(own.cams.mean(dim=(2, 3)).numpy(), abs=1e-5) == own.logits.numpy()


def test_the_weights_of_the_best_epoch_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from inference.training import run

    losses = iter([0.5, 0.2, 0.4])
    monkeypatch.setattr(run, "validation_curve", lambda *_: {"children_loss": next(losses), "children_auc": 0.9})
    recipe = read_recipe(RECIPE.with_name("thesis-resnet18.toml"))
    checkpoint = tmp_path / "checkpoint.safetensors"
    diary = run.Diary(recipe, FilmPool((), (), ()), checkpoint, tmp_path / "training.jsonl", Progress(disable=True))
    network = new_classifier("resnet18", findings=1, seed=0)

    for epoch in (1, 2, 3):
        torch.nn.init.constant_(network.head.weight, float(epoch))
        diary.report(Step(epoch, epoch, 3, 1.0))
        diary.epoch_done(epoch, network)

    assert float(load_file(checkpoint)["head.weight"].mean()) == 2.0
    rows = (tmp_path / "training.jsonl").read_text(encoding="utf-8").splitlines()
    assert [1, 2, 3] == [json.loads(row)["epoch"] for row in rows]
    assert {"checkpoint.safetensors", "training.jsonl"} == {each.name for each in tmp_path.iterdir()}


def test_a_training_that_cannot_begin_leaves_the_folder_as_it_was(chest_films: Path, tmp_path: Path) -> None:
    text = RECIPE.read_text(encoding="utf-8").replace('"children-normal"', '"children-martians"')
    kept = {"training.jsonl": "of an earlier run", "checkpoint.safetensors": "its weights"}
    for name, content in kept.items():
        (tmp_path / name).write_text(content, encoding="utf-8")

    with pytest.raises(MissingDataError, match=r"shares\.children-martians: none of the 24 training films"):
        Trainer(
            written(tmp_path / "recipe.toml", text), chest_films, tmp_path, Progress(disable=True), most_films=24
        ).run()

    assert kept == {name: (tmp_path / name).read_text(encoding="utf-8") for name in kept}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"[shares]": "[shares]\nextra = -0.5"}, [r"shares\.extra: -0\.5: "]),
        ({"[shares]": "[shares]\nextra = nan"}, [r"shares\.extra: nan: a number is finite"]),
        ({"[shares]": "[shares]\nextra = inf"}, [r"shares\.extra: inf: a number is finite"]),
        ({"seed = 20180222": "seed = -1"}, [r"seed: -1: Input should be greater than or equal to 0"]),
        ({"seed = 20180222": "seed = 1\nvariation = -3"}, [r"variation: -3: "]),
        ({"peak_rate = 8e-4": "peak_rate = 1e9"}, [r"schedule\.peak_rate: 1000000000\.0: .*less than or equal to 1"]),
        ({"threads = 1": "threads = 100000"}, [r"schedule\.threads: 100000: .*less than or equal to 256"]),
        (
            {'name = "pneumonia"': 'name = "effusion"', "233604007": "60046008", '"Pneumonia"': '"Pleural effusion"'},
            [r"card: findings: effusion; films are labelled with pneumonia \(233604007 of SCT\)"],
        ),
        ({"batch = 32": "batch = 2601"}, [r"schedule\.batch: 2601: more than films_per_epoch, 2600"]),
        (
            {"batch = 32\n": "", "films_per_epoch = 2600": "films_per_epoch = 31"},
            [r"schedule\.batch: 32: more than films_per_epoch, 31"],
        ),
        ({"aspect = [0.85, 1.75]": "aspect = [1.75, -0.85]"}, [r"augmentation\.aspect: .*above 0 in rising order"]),
        ({"gamma = 0.25": "gamma = nan"}, [r"augmentation\.gamma: nan: a number is finite"]),
        (
            {"seed = 20180222": "seed = -1", "batch = 32": "batch = 0", "threads = 1": "threads = 0"},
            [r"seed: -1", r"schedule\.batch: 0", r"schedule\.threads: 0"],
        ),
    ],
)
def test_numbers_that_no_training_can_use_are_faults_of_a_recipe(
    tmp_path: Path, changes: dict[str, str], said: list[str]
) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)

    with pytest.raises(InvalidRecipeError) as error:
        read_recipe(written(tmp_path / "recipe.toml", text))

    assert all(re.search(each, str(error.value)) for each in said), str(error.value)


@pytest.mark.parametrize("shares", ["", '"children-" = 0.0\n"adults-" = 0'])
def test_some_films_have_a_share(tmp_path: Path, shares: str) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    start, end = text.index("[shares]"), text.index("[input]")
    text = f"{text[:start]}[shares]\n{shares}\n\n{text[end:]}"

    with pytest.raises(InvalidRecipeError, match="shares: their sum is 0; some films are learned from"):
        read_recipe(written(tmp_path / "recipe.toml", text))


def test_a_loss_that_is_no_number_ends_the_run(chest_films: Path, tmp_path: Path) -> None:
    asked = '[teaching]\nrecipes = ["a.toml"]\n\n'
    text = short_recipe(tmp_path).read_text(encoding="utf-8").replace("[input]", asked + "[input]")
    recipe, teacher = written(tmp_path / "pupil.toml", text), weights_of_head(tmp_path / "a.safetensors", float("nan"))
    said = r"epoch 1, batch 1: the loss is nan; .* schedule\.peak_rate, which is 0\.0008"

    with pytest.raises(DivergedError, match=said):
        Trainer(recipe, chest_films, tmp_path / "out", Progress(disable=True), 60, teachers=(teacher,)).run()

    assert [] == list((tmp_path / "out").iterdir())


def test_a_validation_loss_that_is_no_number_ends_the_run(
    films: list[LabelledFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.training import run

    monkeypatch.setattr(run, "validation_curve", lambda *_: {"children_loss": float("nan"), "children_auc": 0.5})
    log = tmp_path / "training.jsonl"
    diary = run.Diary(read_recipe(RECIPE), small_pool(films), tmp_path / CHECKPOINT, log, Progress(disable=True))

    with pytest.raises(DivergedError, match="epoch 3, validation: the loss is nan"):
        diary.epoch_done(3, new_classifier("efficientnet-lite0", findings=1, seed=0))

    assert [] == list(tmp_path.iterdir())


def test_validation_films_that_decide_on_nothing_end_a_run_before_it_begins(chest_films: Path, tmp_path: Path) -> None:
    trainer = Trainer(short_recipe(tmp_path), chest_films, tmp_path / "out", Progress(disable=True), most_films=1)

    with pytest.raises(MissingDataError, match=r"validation: [01] with the finding and [01] without .* both"):
        trainer.run()

    assert not (tmp_path / "out").exists()


def small_pool(films: list[LabelledFilm]) -> FilmPool:
    """Return three films of noise."""
    pictures = tuple(np.random.default_rng(each).integers(0, 255, (64, 64), np.uint8) for each in range(3))
    return FilmPool(tuple(films[:3]), pictures, ((),) * 3)


@pytest.mark.parametrize("asked", ["run", "finish"])
def test_a_folder_that_holds_a_model_is_left_alone(chest_films: Path, tmp_path: Path, asked: str) -> None:
    checkpoint = weights_of_head(tmp_path / CHECKPOINT, 1.0)
    written(tmp_path / "card.toml", "of a model that serves")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    trainer = Trainer(RECIPE, chest_films, tmp_path, Progress(disable=True), most_films=24)

    with pytest.raises(OutputError, match=r"card\.toml is there; a training leaves a model as it is, name another"):
        trainer.run() if asked == "run" else trainer.finish(checkpoint)

    assert before == {each.name: each.read_bytes() for each in tmp_path.iterdir()}


def test_weights_are_not_finished_beside_the_log_of_other_weights(chest_films: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    checkpoint = weights_of_head(tmp_path / "other" / CHECKPOINT, 1.0)
    written(tmp_path / "training.jsonl", "of a run that was ended")

    with pytest.raises(OutputError, match=r"training\.jsonl is there; it is of other weights"):
        Trainer(RECIPE, chest_films, tmp_path, Progress(disable=True), most_films=24).finish(checkpoint)


def test_a_run_that_ends_while_it_writes_its_model_leaves_none(
    chest_films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.training import run

    def broken_off(*_: object, out: Path, **__: object) -> None:
        for name in ("model.onnx", "card.toml"):
            written(out / name, "half")
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "write_folder", broken_off)
    checkpoint = weights_of_head(tmp_path / CHECKPOINT, 1.0)

    with pytest.raises(KeyboardInterrupt):
        Trainer(short_recipe(tmp_path), chest_films, tmp_path, Progress(disable=True), 24).finish(checkpoint)

    assert {"recipe.toml", CHECKPOINT} == {each.name for each in tmp_path.iterdir()}


def test_the_recipe_beside_a_model_is_the_one_that_it_was_trained_by(
    chest_films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.training import run

    recipe, out = short_recipe(tmp_path), tmp_path / "model"
    text = recipe.read_text(encoding="utf-8")
    monkeypatch.setattr(run, "write_folder", lambda *_, **__: written(recipe, "edited meanwhile"))

    trainer = Trainer(recipe, chest_films, out, Progress(disable=True), most_films=24)
    trainer.finish(weights_of_head(tmp_path / CHECKPOINT, 1.0))

    assert text == (out / "recipe.toml").read_text(encoding="utf-8")


def test_no_weights_of_an_earlier_run_stand_beside_the_log_of_this(
    films: list[LabelledFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.training import run

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "keep", broken_off)
    monkeypatch.setattr(run, "validation_curve", lambda *_: {"children_loss": 0.5, "children_auc": 0.9})
    checkpoint, log = weights_of_head(tmp_path / CHECKPOINT, 1.0), written(tmp_path / "training.jsonl", "earlier\n")
    diary = run.Diary(read_recipe(RECIPE), small_pool(films), checkpoint, log, Progress(disable=True))

    with pytest.raises(KeyboardInterrupt):
        diary.epoch_done(1, new_classifier("efficientnet-lite0", findings=1, seed=0))

    assert [1] == [json.loads(line)["epoch"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert not checkpoint.exists()


def test_weights_that_do_not_fit_on_the_disk_are_said(classifier: FilmClassifier, tmp_path: Path) -> None:
    from inference.training.run import keep

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, limits[1]))
    try:
        with pytest.raises(OutputError, match=rf"{CHECKPOINT}: cannot be written \(.*File too large"):
            keep(classifier, tmp_path / CHECKPOINT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [] == list(tmp_path.iterdir())


def test_a_stranger_to_the_recipe_is_named_with_every_other_fault(tmp_path: Path) -> None:
    text = RECIPE.read_text(encoding="utf-8").replace("batch = 32", "batch = 0\nbatches = 3")
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidRecipeError, match=r"(?s)batch: .*batches: "):
        read_recipe(tmp_path / "recipe.toml")


def test_a_folder_without_films_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDataError, match=r"kermany\.csv, kermany224\.zip, nih\.csv, nih448\.zip, nih_boxes\.csv not found"
    ):
        FilmFolder(tmp_path)


def test_no_subject_is_in_two_splits(films: list[LabelledFilm]) -> None:
    splits: dict[str, set[str]] = {}
    for film in films:
        splits.setdefault(film.subject, set()).add(film.split)

    # A subject of the official test folder may have further films, which are then not used at all.
    mixed = [each - {"unused"} for each in splits.values()]
    assert max(map(len, mixed)) == 1


def test_no_film_of_the_official_test_folder_is_trained_on(films: list[LabelledFilm], chest_films: Path) -> None:
    rows = FilmFolder(chest_films).table("kermany.csv")
    official = {row["group"] for row in rows if row["kaggle_split"] == "test"}

    assert not official & {film.subject for film in films if film.split in ("train", "validation")}


def test_the_split_of_a_child_depends_on_the_subject_alone() -> None:
    first, second = ({"kaggle_split": "train", "group": "A", "file": name} for name in "xy")

    assert child_split(first, set(), 1) == child_split(second, set(), 1)


def test_a_recipe_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b"seed = 1 # \xff")

    with pytest.raises(InvalidRecipeError, match=r"recipe\.toml: byte 11 is no UTF-8"):
        read_recipe(tmp_path / "recipe.toml")
    with pytest.raises(InvalidRecipeError, match="cannot be read"):
        read_recipe(tmp_path / "absent.toml")


def test_radiologists_are_believed_before_the_report() -> None:
    row = {"rsna_class": "Normal", "google_airspace_opacity": "YES", "findings": "Pneumonia"}

    assert radiologist_target(row) == 0.0


def test_report_text_aims_at_how_often_radiologists_agreed() -> None:
    read = {"google_airspace_opacity": "", "findings": "Pneumonia"}
    rows = [read | {"rsna_class": name} for name in ("Lung Opacity", "Normal", "Normal")]

    assert pytest.approx(1.5 / 4) == text_targets(rows)["pneumonia"]


def test_augmentation_follows_the_seed_and_keeps_the_range() -> None:
    film = np.random.default_rng(0).random((224, 224), np.float32)

    boxed = np.zeros_like(film)

    (first, _), (second, _) = (Augmentation().changed(film, boxed, np.random.default_rng(5)) for _ in range(2))

    assert (first == second).all()
    assert 0.0 <= first.min() <= first.max() <= 1.0
    assert min(first.shape) >= 224


def test_processing_of_makers_keeps_the_range_and_what_it_does_not_change() -> None:
    film = np.random.default_rng(0).random((224, 200), np.float32)
    still = Augmentation((1.0, 1.0), 1.0, 0.0, 0.0, 0.0, gamma=0.0, window=0.0, blur_px=0.21, erased=0.0)
    foreign = replace(still, tones=0.7, bands=0.6, shading=0.5)
    (plain, _), (first, boxed), (second, _) = (
        each.changed(film, film, np.random.default_rng(5)) for each in (still, foreign, foreign)
    )

    assert (first == second).all()
    assert 0.0 <= first.min() <= first.max() <= 1.0
    assert np.abs(first - plain).mean() > 0.02
    assert np.abs(boxed - np.clip(boxed, film.min(), film.max())).max() == 0.0  # what is boxed is moved, not toned
    assert pytest.approx(film, abs=1e-5) == banded(film, np.ones(len(BANDS_PX)))
    assert pytest.approx(film, abs=2e-3) == curved(film, np.ones(6))
    assert (film == shaded(film, 1.0, 0.0)).all()


def test_a_tone_curve_rises_over_the_whole_range() -> None:
    grays = np.linspace(0.0, 1.0, 256, dtype=np.float32)[np.newaxis]
    shown = curved(grays, np.array([0.2, 3.0, 1.0, 0.5, 2.0, 1.0]))[0]

    assert (np.diff(shown) >= 0.0).all()
    assert (0.0, 1.0) == (shown[0], shown[-1])


def test_shading_takes_its_part_from_one_edge() -> None:
    even = shaded(np.ones((50, 40), np.float32), 0.0, 0.4)

    assert pytest.approx(1.0) == float(even[0, 0])
    assert pytest.approx(0.6) == float(even[0, -1])


def test_what_a_film_shows_is_squeezed_on_the_same_canvas() -> None:
    film = np.zeros((220, 200), np.float32)
    film[60:160, 60:140] = 1.0
    still = Augmentation((1.0, 1.0), 1.0, 0.0, 0.0, 0.0, gamma=0.0, window=0.0, blur_px=0.21, erased=0.0)
    ratios = []
    for seed in range(20):
        changed, boxed = replace(still, squeeze=0.4).changed(film, film, np.random.default_rng(seed))
        rows, columns = (float(changed.max(axis=axis).sum()) for axis in (1, 0))
        ratios.append(np.log(rows / columns / (100 / 80)))
        assert film.shape == changed.shape
        assert float(np.abs(changed - boxed).mean()) < 0.01
        assert pytest.approx(100 * 80, rel=0.03) == rows * columns

    assert -0.42 <= min(ratios) < -0.2
    assert 0.2 < max(ratios) <= 0.42


def test_a_box_moves_with_its_film() -> None:
    film = np.zeros((224, 224), np.float32)
    film[60:90, 120:160] = 1.0
    still = Augmentation(gamma=0.0, window=0.0, blur_px=0.21, erased=0.0)

    for seed in range(8):
        moved, boxed = still.changed(film, film, np.random.default_rng(seed))
        assert float(np.abs(moved - boxed).mean()) < 0.01
        assert float(boxed.max()) == 1.0


def test_the_loss_of_maps_asks_for_mass_in_the_boxes() -> None:
    boxed = torch.zeros(2, 64, 64)
    boxed[0, :32, :32] = 1.0  # the second film has no box and counts for nothing
    inside, outside = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    inside[0, 0, 0, 0] = outside[0, 0, 3, 3] = 20.0

    assert float(box_loss(inside, boxed)) < 1e-3 < 10.0 < float(box_loss(outside, boxed))
    assert float(box_loss(outside, torch.zeros(2, 64, 64))) == 0.0


def test_frozen_blocks_learn_nothing() -> None:
    network = new_classifier("efficientnet-lite0", findings=1, seed=0)
    network.freeze(3)
    network.train()
    before = {name: value.clone() for name, value in network.features.trunk[:3].state_dict().items()}
    network(torch.randn(2, 1, 64, 64)).logits.sum().backward()

    assert all((value == before[name]).all() for name, value in network.features.trunk[:3].state_dict().items())
    assert all(each.grad is None for each in network.features.trunk[:3].parameters())


def test_the_scaling_undoes_overconfidence_and_a_shift() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, 4000)
    truth = random.random(4000) < 1 / (1 + np.exp(-logits))

    temperature, shift = best_scaling([logits * 3.0 + 1.5], [truth])

    assert pytest.approx(3.0, rel=0.1) == temperature
    assert pytest.approx(-0.5, abs=0.1) == shift


def test_the_threshold_lies_between_the_classes() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.8])
    truth = np.array([False, False, False, True, True])
    outcome = Outcome(scores, truth, np.array(list("abcde")))

    assert pytest.approx(0.5, abs=0.02) == best_threshold([outcome], [])


def test_the_threshold_spares_normal_films_before_it_finds_disease() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.35, 0.8])
    truth = np.array([False, False, False, True, True])
    outcome = Outcome(scores, truth, np.array(list("abcde")))
    normal = np.linspace(0.0, 0.6, 20)

    assert np.mean(normal >= best_threshold([outcome], [normal])) <= 0.1
