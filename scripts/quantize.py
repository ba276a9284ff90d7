"""Make an INT8 form of a model and say what it changes on validation films; it ships only if that is nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from inference.models import DEFAULT_MODEL, load_model  # noqa: E402 - runs from a checkout
from inference.training.quantize import quantize  # noqa: E402
from inference.training.recipe import read_recipe  # noqa: E402


def main() -> None:
    """Write the form and print the figures; fails where it must not ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of films and tables")
    parser.add_argument("--most-films", type=int, help="of the validation split")
    arguments = parser.parse_args()
    seed = read_recipe(arguments.model / "recipe.toml").seed
    made = quantize(load_model(arguments.model), arguments.data, seed, arguments.out, arguments.most_films)
    print(made.sentence())
    sys.exit(not made.may_ship)


if __name__ == "__main__":
    main()
