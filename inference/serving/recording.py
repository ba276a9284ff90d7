"""Gives a model folder its golden film, and its card the section of one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from inference.card import CARD_NAME, card_in, read_table
from inference.errors import InvalidCardError
from inference.isolation import prepared_film
from inference.models.folder import model_of_films, sha256_of
from inference.models.model import Model
from inference.models.port import Runtime
from inference.serving.golden import Golden
from inference.whole_files import replaced, require_replaceable

FILE, SECTION = "golden.npz", "golden"


def record_golden(folder: Path, film: Path) -> Golden:
    """Ask the model in a folder about a film, keep film and answer there, and name them in its card.

    The prepared film becomes part of the model: take one that may be passed on. The one that it had until now is not
    asked for, so that one which is lost or damaged can be replaced.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    OutputError
        Its folder cannot be written; the model stays as it was, or has no golden film.
    FilmError
        The film cannot be read, or the model refuses it, by its header or by its pixels.
    """
    model = model_without_golden(folder)
    golden = Golden.record(model, prepared_film(film, model.guard, model.preprocessing))
    with replaced(folder / FILE) as part:
        golden.write(part)  # before the card is touched: here a full disk shows
        # A crash from here on leaves a model without a golden film, not a broken one.
        write_section(folder, SECTION, [])
    write_section(folder, SECTION, [f'file = "{FILE}"', f'sha256 = "{sha256_of(folder / FILE)}"'])
    return golden


def model_without_golden(folder: Path) -> Model:
    """Return the model of films in a folder, whatever its card says of a golden film; raises as `load_model`."""
    table = {key: value for key, value in read_table(folder).items() if key != SECTION}
    return model_of_films(folder, card_in(folder, table), Runtime())


def require_section_writable(folder: Path, name: str) -> None:
    """Raise where a section of the card cannot be written anew.

    Raises
    ------
    OutputError
        The folder or its disk does not take it.
    InvalidCardError
        The card names the section in another form.
    """
    text_without(folder / CARD_NAME, name)
    require_replaceable(folder / CARD_NAME)


def write_section(folder: Path, name: str, lines: Sequence[str]) -> None:
    """Write a section of the card anew, as its last, or none without lines; everything else stays as it stands.

    Raises
    ------
    InvalidCardError
        The card names it in another form, which would name it twice.
    """
    path = folder / CARD_NAME
    written = ["", f"[{name}]", *lines] if lines else []
    text = text_without(path, name)
    with replaced(path) as part:
        part.write_text("\n".join([text, *written, ""]), encoding="utf-8")


def text_without(path: Path, name: str) -> str:
    """Return the text of a card without a section; raises InvalidCardError where it is named in another form."""
    # Up to the comments before the next section: they are about that.
    body, following = r"(?:(?![ \t]*\[).*\n?)*?", r"(?=(?:[ \t]*(?:#.*)?\n)*(?:[ \t]*\[|\Z))"
    section = re.compile(rf"\n*^[ \t]*\[{name}\]\n{body}{following}", re.MULTILINE)
    text = section.sub("\n", path.read_text(encoding="utf-8")).strip("\n")
    if name in tomllib.loads(text):
        raise InvalidCardError(f"{path}: {name}: not a section of its own; write it as [{name}] with a key a line")
    return text
