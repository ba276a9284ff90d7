"""The card of a trained model as TOML: the recipe's text with what training and validation gave."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel

from inference.training.calibration import Scaling
from inference.training.recipe import Recipe


def card_text(recipe: Recipe, weights: str, digest: str, scaling: Scaling, threshold: float) -> str:
    """Return the text of ``card.toml``."""
    card = recipe.card.model_dump(exclude={"findings", "explanation"}, mode="json")
    lines = [f"{key} = {literal(value)}" for key, value in card.items()]
    if recipe.card.explanation is not None:
        lines.append(f"explanation = {literal(recipe.card.explanation.model_dump())}")
    weights_table = {"kind": "onnx", "file": weights, "sha256": digest}
    lines += table("[weights]", weights_table) + table("[input]", plain(recipe.input))
    for finding in recipe.card.findings:
        lines += table("[[findings]]", {**plain(finding), "threshold": threshold, **scaling._asdict()})
    return "\n".join(lines) + "\n"


def table(header: str, values: Mapping[str, object]) -> list[str]:
    """Return the lines of a TOML table."""
    return ["", header, *(f"{key} = {literal(value)}" for key, value in values.items())]


def literal(value: object) -> str:
    """Return a value as TOML; strings, numbers and arrays are written as in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {literal(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def plain(section: BaseModel) -> dict[str, object]:
    """Return a section as plain values."""
    return section.model_dump(mode="json", exclude_none=True)
