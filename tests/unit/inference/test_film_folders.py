"""A data folder that is not whole is told by file and rule, before any film is measured."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from made_films import SEED, made_folder

from inference.errors import MissingDataError
from inference.film_folder import FilmFolder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return made_folder(tmp_path / "films")


def read_all(data: Path) -> None:
    """Read every film of a folder and every box."""
    folder = FilmFolder(data)
    folder.boxes()
    assert len(list(folder.radiographs(folder.films(SEED)))) > 0


def test_a_table_of_boxes_that_is_not_there_is_named(data: Path) -> None:
    (data / "nih_boxes.csv").unlink()

    with pytest.raises(MissingDataError, match=r"films: nih_boxes\.csv not found"):
        FilmFolder(data)


def with_text(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Return a fault: a text of a table that stands for another, every time."""

    def put(data: Path) -> None:
        text = (data / name).read_bytes()
        assert old.encode() in text
        (data / name).write_bytes(text.replace(old.encode(), new.encode("latin-1")))

    return put


def emptied(data: Path) -> None:
    (data / "kermany.csv").write_bytes(b"")


def cut_short(data: Path) -> None:
    archive = data / "nih448.zip"
    archive.write_bytes(archive.read_bytes()[:2000])


def overwritten(data: Path) -> None:
    """Damage the first film of an archive, but not its list of films."""
    archive = data / "nih448.zip"
    with zipfile.ZipFile(archive) as films:
        place = films.infolist()[0].header_offset
    content = bytearray(archive.read_bytes())
    content[place + 60 : place + 90] = bytes(30)
    archive.write_bytes(content)


def without_picture(data: Path) -> None:
    with zipfile.ZipFile(data / "kermany224.zip") as archive:
        films = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(data / "kermany224.zip", "w") as archive:
        for number, (name, film) in enumerate(films.items()):
            archive.writestr(name, film if number else b"no film")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (emptied, r"kermany\.csv: no column file, label, type, group, .*; a table begins with the names of it"),
        (with_text("nih.csv", "rsna_class", "class"), r"nih\.csv: no column rsna_class; "),
        (with_text("nih_boxes.csv", ",w,", ",width,"), r"nih_boxes\.csv: no column w; "),
        (with_text("kermany.csv", "child-0.png,NORMAL", "child-0.png"),
         r"kermany\.csv: line 2: not 7 values, one for each column"),
        (with_text("kermany.csv", "NORMAL", "NORMAL\xff"), r"kermany\.csv: byte \d+ is no UTF-8"),
        (with_text("kermany.csv", "child-0.png", "absent.png"),
         r"kermany224\.zip: 1 of 34 films not found, the first absent\.png; each film of the table is in it"),
        (with_text("kermany.csv", "1400,1000", "1400,0"), r"child-1\.png: orig_height: '0'; a number of pixels"),
        (with_text("nih.csv", "1000,1000", "wide,1000"), r"adult-0\.png: orig_width: 'wide'; a number of pixels"),
        (with_text("nih.csv", ",30,", ",adult,"), r"adult-0\.png: age: 'adult'; a whole number of years"),
        (with_text("nih_boxes.csv", "0.15", "left"), r"adult-0\.png: x: 'left'; a number from 0 to 1"),
        (cut_short, r"nih448\.zip: no archive of films \(File is not a zip file\)"),
        (overwritten, r"nih448\.zip: adult-0\.png: cannot be read"),
        (without_picture, r"kermany224\.zip: child-0\.png: .*"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_named(data: Path, fault: Callable[[Path], None], said: str) -> None:
    fault(data)

    with pytest.raises(MissingDataError, match=said):
        read_all(data)


def test_a_folder_that_is_whole_is_read(data: Path) -> None:
    read_all(data)
