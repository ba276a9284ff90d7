"""What is wrong with a table of a card, one sentence for each fault: the key, its value, the rule."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
# Said of a list whose only fault is that its entries have faults.
FOLLOWS = "after validation"
# What pydantic calls the forms of a key that has several, and a key that a table of any keys must not have.
TRIED = r"^(float|tuple\[.*\]|\[key\])$"


def faults_of(error: ValidationError) -> list[str]:
    """Return each fault as ``key: value: rule``, one of each key."""
    faults = error.errors()
    places = [fault["loc"] for fault in faults]
    said: dict[str, str] = {}
    for fault in faults:
        if lacks_entry(fault):
            # Told one by one, of which the last says how many there are to be.
            said[place_of(fault["loc"][:-1])] = f"{fault['input']!r}: {int(fault['loc'][-1]) + 1} entries"
        elif not only_follows(fault, places):
            # Of a number, or a list of three in its place, the fault of the number says what is wrong.
            said.setdefault(place_of(fault["loc"]), sentence(fault))
    return [f"{place}: {rule}" for place, rule in said.items()]


def place_of(location: Place) -> str:
    """Return the key of a fault as it stands in the file, without the names of the schemas that were tried for it."""
    return ".".join(map(str, keys_of(location))) or "card"


def keys_of(location: Place) -> Place:
    """Return the keys that lead to a fault, without the names of the schemas that were tried."""
    is_input = len(location) > 1 and location[0] == "input"
    parts = (location[0], *location[2:]) if is_input else location
    return tuple(part for part in parts if not re.match(TRIED, str(part)))


def lacks_entry(fault: ErrorDetails) -> bool:
    """True for an entry that a list of a fixed length has not."""
    return fault["type"] == "missing" and isinstance(fault["loc"][-1], int)


def only_follows(fault: ErrorDetails, places: list[Place]) -> bool:
    """True for a list that is called too short since an entry of it, which is told by itself, is none."""
    own = fault["loc"]
    is_within = any(place[: len(own)] == own and len(place) > len(own) for place in places)
    return fault["type"] == "too_short" and FOLLOWS in fault["msg"] and is_within


def sentence(fault: ErrorDetails) -> str:
    """Return the value and the rule of a fault."""
    if fault["type"] == "extra_forbidden":
        return "unknown key"
    if fault["type"] == "missing":
        return "this key is required"
    if fault["type"] == "value_error":  # a rule of ours, which names its value
        return str(fault["ctx"]["error"])
    if fault["type"] == "too_short":
        return f"{fault['input']!r}: {fault['ctx']['min_length']} or more"
    if fault["type"] == "finite_number" or is_nan(fault["input"]):
        return f"{fault['input']!r}: a number is finite"
    return f"{fault['input']!r}: {fault['msg']}" if is_short(fault["input"]) else fault["msg"]


def is_nan(value: Any) -> bool:  # noqa: ANN401 - TOML gives anything
    """True for the number that is none: it is said to break whichever limit is tried first."""
    return isinstance(value, float) and math.isnan(value)


def is_short(value: Any) -> bool:  # noqa: ANN401 - TOML gives anything
    """True for a value that fits into a sentence."""
    return isinstance(value, str | int | float | bool | list | tuple) and len(repr(value)) <= 80
