"""Images that are no frontal chest film are refused by their pixels, whatever a header says or does not say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.errors import NOT_FRONTAL, UNFAMILIAR, FilmError
from inference.film import read_film
from inference.film_folder import FilmFolder, at_aspect
from inference.models import Answer, Model
from inference.types import Radiograph

# Frontal chest films among the DICOM files; one, of the same pixels as another, says MONOCHROME1: it is a negative.
CHEST_FOLDER, NEGATIVE = "cxr", "Fake_MONOHR1.dcm"
# A frontal localizer of a CT looks as a chest film does; its header refuses it.
LOCALIZER = "jpeg_lossless_sel1.dcm"


def answer_of(model: Model, pixels: np.ndarray) -> Answer | FilmError:
    """Return what the model says of pixels without header."""
    (answer,) = model.predict([model.prepare(Radiograph(pixels))])
    return answer


def decodable(folder: Path) -> Iterator[tuple[Path, Radiograph]]:
    """Yield every image that this package decodes, with its header taken away."""
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            try:
                yield folder / row["file"], Radiograph(read_film(folder / row["file"]).pixels)
            except FilmError:
                continue


def test_no_other_image_is_taken_for_a_chest_film(model: Model, dicom_files: Path) -> None:
    accepted, seen = [], 0
    for file, film in decodable(dicom_files):
        try:
            answer = answer_of(model, film.pixels)
        except FilmError:  # no contrast, or too few pixels
            continue
        seen += 1
        if isinstance(answer, Answer):
            accepted.append(file)

    assert seen > 100
    taken = [file for file in accepted if file.parent.name != CHEST_FOLDER or file.name == NEGATIVE]
    assert {file.name for file in taken} <= {LOCALIZER}
    assert all(model.refusal(read_film(file).attributes) for file in taken)
    assert accepted, "a guard that refuses everything guards nothing"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda film: 1.0 - film, id="negative"),
        pytest.param(np.rot90, id="on its side"),
        pytest.param(lambda film: film[::-1, ::-1], id="upside down"),
        pytest.param(lambda film: film[:, : film.shape[1] // 2], id="half"),
    ],
)  # fmt: skip
def test_a_chest_film_that_does_not_lie_as_one_is_refused(model: Model, chest_films: Path, changed) -> None:
    folder = FilmFolder(chest_films)
    films = [film for film in folder.films(seed=1) if film.split == "official-test"][::20]

    answers = [answer_of(model, np.ascontiguousarray(changed(film.pixels))) for film in folder.radiographs(films)]

    refused = [answer.code for answer in answers if isinstance(answer, FilmError)]
    assert set(refused) <= {UNFAMILIAR, NOT_FRONTAL}
    assert len(refused) >= 0.9 * len(films)


def test_good_films_pass(model: Model, chest_films: Path, trained_seed: int) -> None:
    folder = FilmFolder(chest_films)
    films = [film for film in folder.films(trained_seed) if film.split in ("test", "official-test")]
    chosen = [films[index] for index in np.random.default_rng(0).permutation(len(films))[:200]]

    squares = list(folder.radiographs(chosen))
    own = [at_aspect(each, film.aspect) for each, film in zip(squares, chosen, strict=True) if film.aspect]
    answers = [answer_of(model, each.pixels) for each in (*squares, *own)]

    assert sum(isinstance(answer, FilmError) for answer in answers) <= 0.01 * len(answers)


def test_a_clinical_film_of_another_hospital_passes(model: Model, clinical_film: Path) -> None:
    answer = answer_of(model, read_film(clinical_film).pixels)

    assert isinstance(answer, Answer)
    assert answer.familiarity is not None
    assert len(answer.familiarity.nearest) == 3
