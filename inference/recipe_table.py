"""The table in a recipe file, for whoever reads all of it and for whoever reads a part; needs no torch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from inference.errors import InvalidRecipeError

# In a model folder: what the model was trained by.
RECIPE = "recipe.toml"


def recipe_table(path: Path) -> dict[str, Any]:
    """Return the table in a recipe file.

    Raises
    ------
    InvalidRecipeError
        The file cannot be read, or is no TOML in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidRecipeError(f"{path}: byte {error.start} is no UTF-8; a recipe is TOML, in UTF-8") from error
    except OSError as error:
        raise InvalidRecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidRecipeError(f"{path}: {error}") from error
