"""Whatever stands at one or several places of a card, what is sound of it is found."""

from __future__ import annotations

import copy
import tomllib
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inference.card import CARD_NAME, CardFile, judged
from inference.card_stand_in import sound_part
from inference.models import DEFAULT_MODEL

CARD = tomllib.loads((DEFAULT_MODEL / CARD_NAME).read_text(encoding="utf-8"))
PLACES = [
    *[(key,) for key in CARD],
    *[(table, key) for table in ("input", "weights", "explanation", "atlas") for key in CARD[table]],
    *[("findings", 0), *[("findings", 0, key) for key in CARD["findings"][0]]],
    *[("findings", 0, "code", key) for key in ("value", "scheme", "meaning")],
    *[("input", key) for key in ("size", "spacing_mm", "window", "range", "unknown")],
    *[("output",), ("device",), ("weights", "names"), ("input", "body_parts", 0), ("findings", 0, "references", 1)],
]
single = st.none() | st.integers() | st.floats() | st.text() | st.booleans() | st.sampled_from(["film", "volume"])
values = st.recursive(single, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2))


@given(st.lists(st.tuples(st.sampled_from(PLACES), values), max_size=4))
def test_of_any_card_a_part_is_sound(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    table = copy.deepcopy(CARD)
    for place, value in changes:
        put(table, place, value)

    card, replaced = sound_part(table, CardFile)

    whole, _ = judged(table)
    assert card is not None
    assert whole in (None, card)
    assert whole is None or not replaced


def put(table: Any, place: tuple[Any, ...], value: Any) -> None:
    """Put a value at a place, or nothing for None, where no earlier change took the place away."""
    with suppress(KeyError, IndexError, TypeError):
        for key in place[:-1]:
            table = table[key]
        if value is None:
            del table[place[-1]]
        else:
            table[place[-1]] = value
