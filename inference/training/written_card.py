"""The card of a trained model as TOML: the recipe's text with what training and validation gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from inference.training.calibration import Scaling
from inference.training.recipe import Recipe


class Decided(NamedTuple):
    """What validation films decided."""

    scaling: Scaling
    threshold: float


def card_text(recipe: Recipe, decided: Decided, digests: Mapping[str, str]) -> str:
    """Return the text of ``card.toml``.

    Parameters
    ----------
    digests
        sha256 of each file, the weights first; the others are named for the section of the card.
    """
    card = recipe.card.model_dump(exclude={"findings", "explanation"}, mode="json")
    lines = [f"{key} = {literal(value)}" for key, value in card.items()]
    if recipe.card.explanation is not None:
        lines.append(f"explanation = {literal(recipe.card.explanation.model_dump())}")
    (weights, digest), *beside = digests.items()
    lines += table("[weights]", {"kind": "onnx", "file": weights, "sha256": digest})
    lines += table("[input]", plain(recipe.input))
    for finding in recipe.card.findings:
        values = {**plain(finding), "threshold": decided.threshold, **decided.scaling._asdict()}
        lines += table("[[findings]]", values)
    for file, own in beside:
        lines += table(f"[{Path(file).stem}]", {"file": file, "sha256": own})
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
