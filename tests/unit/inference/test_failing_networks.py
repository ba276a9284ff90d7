"""`predict` goes on after a film on which the network fails, ends its process or comes to no end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_folders import FILM, finding, write_card
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import ModelError
from inference.film import read_film
from inference.isolation import LIMIT_S
from inference.models import DEFAULT_MODEL
from inference.models.check import faults_of_folder
from inference.network_process import isolated

torch = pytest.importorskip("torch")

TAKEN = {**FILM, "channels": 1, "mean": 0.0, "deviation": 1.0}


class Raises(torch.nn.Module):
    def forward(self, films):
        if bool(films[0, 0, 0, 0] > 0.5):
            raise ValueError("the driver is gone")
        return films.mean((1, 2, 3)).unsqueeze(1)


class Hangs(torch.nn.Module):
    def forward(self, films):
        if bool(films[0, 0, 0, 0] > 0.5):
            while bool(films.sum() > -1e30):
                films = films + 0.0
        return films.mean((1, 2, 3)).unsqueeze(1)


@pytest.fixture
def films(tmp_path: Path) -> list[str]:
    """Three films of which the second is bright at its first pixel."""
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    made = {"a.png": ramp, "b.png": ramp[:, ::-1], "c.png": ramp}
    for name, pixels in made.items():
        cv2.imwrite(str(tmp_path / name), pixels)
    return [str(tmp_path / name) for name in made]


@pytest.mark.parametrize(
    ("network", "code", "reason"),
    [
        (Raises, "failed", "ours: m.pt: torch failed on cpu: .*the driver is gone"),
        (Hangs, "hang", "network: not at its end after 3 s; its process was ended"),
    ],
)
def test_one_film_is_refused_and_the_others_are_read(
    tmp_path: Path, films: list[str], network: type, code: str, reason: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    torch.jit.script(network()).save(folder / "m.pt")
    write_card(folder, "m.pt", "torchscript", [finding()], TAKEN)

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--jsonl", "--limit-s", "3", *films])

    first, second, third = map(json.loads, result.stdout.splitlines())
    assert 1 == result.exit_code
    assert [None, code, None] == [line["refused"] for line in (first, second, third)]
    assert first["scores"] == third["scores"]
    assert pytest.approx(0.62, abs=0.01) == first["scores"]["pneumonia"]
    assert {} == second["scores"]
    assert re.search(reason, second["reason"])


class Forgets(torch.nn.Module):
    """Gives no number for what is brighter than black."""

    def forward(self, films):
        means = films.mean((1, 2, 3)).unsqueeze(1)
        return torch.where(means > 0.1, means * float("nan"), means)


def test_what_a_network_fails_on_but_not_in_the_dark_is_found_by_a_check(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    torch.jit.script(Forgets()).save(folder / "m.pt")

    (fault,) = faults_of_folder(write_card(folder, "m.pt", "torchscript", [finding()], TAKEN))

    assert f"{folder}: the network, on one from black to white: not every value is finite" in fault


def test_a_network_that_ends_its_process_is_started_again(clinical_film: Path) -> None:
    with isolated(DEFAULT_MODEL, "cpu", 1, LIMIT_S) as model:
        film = model.prepare(read_film(clinical_film))  # type: ignore[arg-type]
        (before,) = model.predict([film])
        for process in model.network.pool._processes.values():
            process.kill()
        with pytest.raises(ModelError, match="pneumonia-lite0: the network ended its process"):
            model.predict([film])
        (after,) = model.predict([film])

    assert before.scores == after.scores
