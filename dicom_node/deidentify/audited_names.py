"""The forms in which a person's name could stand somewhere: its words, its components, and those written together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

_WORDS = re.compile(r"[^\W\d_]{3,}")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
# What writers put where no name is: it names nobody, and our own dummies use it.
_NOBODY = frozenset(
    {"anonymized", "anonymous", "anonymised", "anonymize", "anon", "unknown", "none", "removed", "redacted", "patient"}
)
_SHORTEST = 3
# A family name, a given name, a middle name; a prefix and a suffix are no part of what people write together.
_COMPONENTS = 3


def forms_of_name(text: str) -> Iterator[str]:
    """Yield the words of a person's name, and its components without marks and written together, in both orders.

    Notes
    -----
    A word counts from three letters on. In a group without Latin letters a component counts from two on, and one of a
    single letter beside its neighbour: a family name in Chinese has one.
    """
    for group in text.split("="):
        components = [component.strip() for component in group.split("^") if component.strip()]
        if _LATIN.search(group):
            yield from _latin(group, components)
        else:
            yield from _others(group, components)


def _latin(group: str, components: list[str]) -> Iterator[str]:
    words = [word for word in _WORDS.findall(group) if word.casefold() not in _NOBODY]
    yield from words
    letters = [_NO_LETTERS.sub("", component) for component in components[:_COMPONENTS]]
    letters = [one for one in letters if len(one) >= _SHORTEST and one.casefold() not in _NOBODY]
    yield from (one for one in letters if one not in words)
    yield from ("".join(pair) for pair in permutations(letters, 2))


def _others(group: str, components: list[str]) -> Iterator[str]:
    yield from _WORDS.findall(group)
    yield from (one for one in components if len(one) > 1 and not one.isascii())
    if len(components) > 1 and not group.isascii():
        yield "".join(components)
        yield " ".join(components)
        yield "\u3000".join(components)
