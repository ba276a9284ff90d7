"""Gives a model folder its golden film."""

from __future__ import annotations

import re
from pathlib import Path

from inference.card import CARD_NAME
from inference.film import read_film
from inference.models.folder import load_model, sha256_of
from inference.serving.golden import Golden

FILE = "golden.npz"
SECTION = re.compile(r"\n*^\[golden\]\n(?:(?!\[).*\n?)*", re.MULTILINE)


def record_golden(folder: Path, film: Path) -> Golden:
    """Ask the model in a folder about a film, keep film and answer there, and name them in its card.

    The prepared film becomes part of the model: take one that may be passed on.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    FilmError
        The film cannot be read, or the model refuses it.
    """
    model = load_model(folder)
    golden = Golden.record(model, model.prepare(read_film(film)))
    golden.save(folder / FILE)
    card = folder / CARD_NAME
    text = SECTION.sub("\n", card.read_text(encoding="utf-8")).rstrip("\n")
    section = f'\n\n[golden]\nfile = "{FILE}"\nsha256 = "{sha256_of(folder / FILE)}"\n'
    card.write_text(text + section, encoding="utf-8")
    return golden
