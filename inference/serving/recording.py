"""Gives a model folder its golden film, and its card the section of one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from inference.card import CARD_NAME
from inference.errors import InvalidCardError
from inference.isolation import prepared_film
from inference.models.folder import load_model, sha256_of
from inference.serving.golden import Golden
from inference.whole_files import replaced

FILE = "golden.npz"


def record_golden(folder: Path, film: Path) -> Golden:
    """Ask the model in a folder about a film, keep film and answer there, and name them in its card.

    The prepared film becomes part of the model: take one that may be passed on.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    FilmError
        The film cannot be read, or the model refuses it, by its header or by its pixels.
    """
    model = load_model(folder)
    golden = Golden.record(model, prepared_film(film, model.guard, model.preprocessing))
    write_section(folder, "golden", [])  # a crash from here on leaves a model without a golden film, not a broken one
    golden.save(folder / FILE)
    write_section(folder, "golden", [f'file = "{FILE}"', f'sha256 = "{sha256_of(folder / FILE)}"'])
    return golden


def write_section(folder: Path, name: str, lines: Sequence[str]) -> None:
    """Write a section of the card anew, as its last, or none without lines; everything else stays as it stands.

    Raises
    ------
    InvalidCardError
        The card names it in another form, which would name it twice.
    """
    path = folder / CARD_NAME
    # Up to the comments before the next section: they are about that.
    section = re.compile(rf"\n*^\[{name}\]\n(?:(?!\[).*\n?)*?(?=(?:[ \t]*(?:#.*)?\n)*(?:\[|\Z))", re.MULTILINE)
    text = section.sub("\n", path.read_text(encoding="utf-8")).strip("\n")
    if name in tomllib.loads(text):
        raise InvalidCardError(f"{path}: {name}: not a section of its own; write it as [{name}] with a key a line")
    written = ["", f"[{name}]", *lines] if lines else []
    with replaced(path) as part:
        part.write_text("\n".join([text, *written, ""]), encoding="utf-8")
