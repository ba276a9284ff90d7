"""What is sound of a faulty card, so that one fault hides no other.

What breaks the schema is left out, or replaced where the schema requires it. Whoever judges by the result has to know
what it no longer says: these keys come with it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from inference.card_faults import Place, keys_of, only_follows

Schema = TypeVar("Schema", bound=BaseModel)

CODE = {"value": "0", "scheme": "99STANDIN", "meaning": "Any"}
# What stands for a key that may not be absent, by its last name.
STAND_INS: Mapping[str, Any] = {
    "name": "any", "version": "0", "intended_use": "None", "findings": [{}], "code": CODE, "site": CODE,
    "threshold": 0.5, "weights": {}, "file": "any", "sha256": "0" * 64, "modalities": ["CR"], "body_parts": ["CHEST"],
    "views": ["PA"], "side": 224, "size": [64, 64, 64], "spacing_mm": [1.0, 1.0, 1.0],
}  # fmt: skip
SCALING = ("mean", "deviation", "range", "window", "percentiles")
# What a table says that others are held against; the input says the rest of it by kind.
SAID: Mapping[str, tuple[str, ...]] = {
    "findings": ("index", "temperature", "shift", "operating_point"),
    "output": ("kind", "values", "count"),
    "input": ("kind", "channels", "side", "size", *SCALING),
}
# Rules between keys are tried only when each key is right by itself, and a stand-in may lack keys of its own.
ROUNDS = 12


def sound_part(table: Mapping[str, Any], schema: type[Schema]) -> tuple[Schema | None, frozenset[str]]:
    """Return what is sound of a table with stand-ins for the rest, and the keys that do not say what they said.

    Returns
    -------
    tuple
        None where too little is sound; keys as ``input.side`` and ``findings.index``, of whichever finding.
    """
    mended: dict[str, Any] = copy.deepcopy(dict(table))
    replaced: set[str] = set()
    for _ in range(ROUNDS):
        try:
            return schema.model_validate(mended), frozenset(replaced)
        except ValidationError as error:
            faults = error.errors()
        for fault in faults:
            if not only_follows(fault, [each["loc"] for each in faults]):
                replaced |= mend(mended, fault)
    return None, frozenset(replaced)


def mend(table: dict[str, Any], fault: ErrorDetails) -> set[str]:
    """Mend the place of a fault; return the keys that do not say what they said."""
    place = entry_of(keys_of(fault["loc"]))
    if fault["type"] == "missing" and place[-1] not in (*STAND_INS, "input"):
        place = place[:-1]
    owner: Any = table
    for key in place[:-1]:
        owner = owner[key]
    own = owner.pop(place[-1], None) if isinstance(owner, dict) else owner[place[-1]]
    if fault["type"] == "extra_forbidden":
        return set()
    other = stand_in(place, own)
    if other is not None:
        owner[place[-1]] = other
    return keys_said(place, own)


def entry_of(keys: Place) -> Place:
    """Return the place that is replaced as a whole: a finding, or a key with all of its list."""
    inner = (order for order, key in enumerate(keys) if isinstance(key, int) and (order != 1 or keys[0] != "findings"))
    return keys[: next(inner, len(keys))]


def stand_in(place: Place, own: object) -> Any:  # noqa: ANN401 - a card may hold any of TOML
    """Return what stands at a place instead; None where it may be absent."""
    match place:
        case ("input",):
            return unscaled(own)
        case ("explanation",):
            method = own.get("method") if isinstance(own, dict) else None
            return {**CODE, **({"method": method} if method else {})}
        case ("findings", int()):
            return {}
        case ("findings", int(number), "name"):
            return f"any-{number}"
        case _:
            return copy.deepcopy(STAND_INS.get(str(place[-1])))


def unscaled(own: object) -> dict[str, Any]:
    """Return an input without what contradicts itself in it: how levels are scaled, and a kind that there is not."""
    kept = {key: value for key, value in own.items() if key not in SCALING} if isinstance(own, dict) else {}
    if not is_kind(kept):
        kept.pop("kind", None)
    return {**kept, "range": [0.0, 1.0], **({"window": [0.0, 1.0]} if kept.get("kind") == "volume" else {})}


def is_kind(table: Mapping[str, Any]) -> bool:
    """True for an input whose kind there is."""
    return table.get("kind", "film") in ("film", "volume")


def keys_said(place: Place, own: object) -> set[str]:
    """Return what is no longer said when a place is replaced."""
    name = ".".join(key for key in place if isinstance(key, str))
    if name == "explanation":  # of the code that was wrong nothing else tells; a map it promises as before
        return set()
    is_scaling_alone = name == "input" and isinstance(own, dict) and is_kind(own)
    within = SCALING if is_scaling_alone else SAID.get(name)
    return {name} if within is None else {f"{name}.{key}" for key in within}
