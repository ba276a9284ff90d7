"""What is done with a trained network, where the films do not suffice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from inference.errors import MissingDataError
from inference.film_folder import LabelledFilm
from inference.models import DEFAULT_MODEL

pytest.importorskip("torch")
from inference.training.finish import record_golden
from inference.training.pool import FilmPool


def pool_of(*pictures: np.ndarray, target: float = 1.0) -> FilmPool:
    """Return films of one population with these pictures."""
    films = tuple(
        LabelledFilm(f"{number}.png", "a.zip", "adults", str(number), target, "adults+", "validation")
        for number, _ in enumerate(pictures)
    )
    return FilmPool(films, pictures, ((),) * len(pictures))


NOISE = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
EVEN = np.full((256, 256), 90, np.uint8)


@pytest.mark.parametrize(
    ("pool", "count"),
    [(pool_of(NOISE), 1), (pool_of(NOISE, EVEN, NOISE), 3), (pool_of(NOISE, target=0.0), 0), (pool_of(), 0)],
    ids=["unfamiliar", "without contrast", "without the finding", "none"],
)
def test_without_a_film_that_the_model_reads_there_is_no_golden_film(
    tmp_path: Path, pool: FilmPool, count: int
) -> None:
    folder = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))

    with pytest.raises(MissingDataError, match=f"validation: the model reads none of its {count} films with the find"):
        record_golden(pool, folder)
