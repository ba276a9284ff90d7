"""The head is fitted on to films as they are, from what it was, and nothing but the head."""

from __future__ import annotations

import numpy as np
import pytest
from rich.progress import Progress

from inference.film_folder import FilmFolder

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from pathlib import Path  # noqa: E402

from safetensors.torch import load_file, save_file  # noqa: E402

from inference.models import load_model  # noqa: E402
from inference.training.network import new_classifier  # noqa: E402
from inference.training.pool import FilmPool  # noqa: E402
from inference.training.recipe import read_recipe  # noqa: E402
from inference.training.refit import WAYS, fitted_on, ways, weights_of  # noqa: E402
from inference.training.run import CHECKPOINT, Trainer  # noqa: E402

RECIPE = Path(__file__).parents[3] / "inference" / "recipes" / "teacher-children.toml"
ASKED = """[teaching]
recipes = ["any.toml"]
weight = 0.5
reads = "still"

[refit]
penalty = 0.003

[schedule]
"""


def loss(logits: torch.Tensor, targets: torch.Tensor) -> float:
    return float(torch.nn.functional.binary_cross_entropy_with_logits(logits - logits.mean(), targets))


@pytest.fixture
def learned() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features of which the first counts, the logits of a head that says it faintly and the second beside it."""
    random = torch.Generator().manual_seed(3)
    features = torch.randn(600, 8, generator=random, dtype=torch.float64) * 5.0 + 2.0
    targets = (features[:, 0] > 2.0).double()
    return features, 0.05 * (features[:, 0] - 2.0) + 0.05 * (features[:, 1] - 2.0), targets


def test_a_head_that_says_too_little_is_fitted_on(learned: tuple[torch.Tensor, ...]) -> None:
    features, logits, targets = learned
    scale, change = fitted_on(features, logits, targets, torch.ones(600, dtype=torch.float64), 1e-3)

    fitted = scale * logits + features @ change

    assert loss(fitted, targets) < 0.4 * loss(logits, targets)
    assert float(change[0]) > 0.0 > float(change[1])


def test_a_high_penalty_leaves_the_direction_of_the_head(learned: tuple[torch.Tensor, ...]) -> None:
    features, logits, targets = learned
    scale, change = fitted_on(features, logits, targets, torch.ones(600, dtype=torch.float64), 1e4)

    assert float(change.abs().max()) < 1e-4
    assert float(scale) > 5.0


def test_a_film_that_counts_nothing_decides_nothing(learned: tuple[torch.Tensor, ...]) -> None:
    features, logits, targets = learned
    weights = torch.ones(600, dtype=torch.float64)
    weights[300:] = 0.0
    others = targets.clone()
    others[300:] = 1.0 - others[300:]

    first, second = (fitted_on(features, logits, each, weights, 1e-2)[1] for each in (targets, others))

    assert torch.allclose(first, second, atol=1e-6)


def test_each_population_counts_alike(chest_films: Path) -> None:
    folder = FilmFolder(chest_films)
    films = folder.films(20180222)
    children = [film for film in films if film.population == "children"][:4]
    chosen = [next(film for film in films if film.population == "adults"), *children]

    assert [1.0, 0.25, 0.25, 0.25, 0.25] == weights_of(FilmPool.load(folder, chosen)).tolist()


def test_every_film_is_shown_in_every_way(chest_films: Path) -> None:
    folder = FilmFolder(chest_films)
    pool = FilmPool.load(folder, folder.films(20180222)[:3])

    shown = list(ways(read_recipe(RECIPE), pool))

    assert WAYS * 3 == len(shown)
    assert all((first == second).all() for first, second in zip(shown, pool.all(), strict=False))
    assert all(np.shape(each) == np.shape(shown[index % 3]) for index, each in enumerate(shown[6:]))


def test_a_recipe_fits_the_head_on_and_leaves_the_features(chest_films: Path, tmp_path: Path) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    start, end = text.index("steps = "), text.index("films_per_epoch")
    text = (text[:start] + text[end:]).replace("[schedule]\n", ASKED + "steps = []\n")
    (tmp_path / "refit.toml").write_text(text.replace("side = 192", "side = 64"), encoding="utf-8")
    teacher = tmp_path / "teacher"
    plain = (tmp_path / "refit.toml").read_text(encoding="utf-8")
    plain = plain[: plain.index("[teaching]")] + plain[plain.index("[schedule]") :]
    (tmp_path / "any.toml").write_text(plain, encoding="utf-8")
    network = new_classifier("efficientnet-lite0", findings=1, seed=1)
    torch.nn.init.normal_(network.head.weight, std=0.05)
    save_file({name: each.contiguous() for name, each in network.state_dict().items()}, tmp_path / CHECKPOINT)
    Trainer(tmp_path / "any.toml", chest_films, teacher, Progress(disable=True), 60).finish(tmp_path / CHECKPOINT)
    (teacher / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes())

    Trainer(
        tmp_path / "refit.toml", chest_films, tmp_path / "out", Progress(disable=True), 60, (teacher / CHECKPOINT,)
    ).run()

    before, after = (load_file(folder / CHECKPOINT) for folder in (teacher, tmp_path / "out"))
    assert {"head.weight"} == {name for name in before if not torch.equal(before[name], after[name])}
    assert load_model(tmp_path / "out").network.outputs == 1
