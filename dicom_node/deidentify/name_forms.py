"""Names in other spellings: without diacritics, as one word, and in scripts that need no spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Han, Hiragana, Katakana, Hangul: a sign or two is a name.
_SIGNS = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_FEWEST_SIGNS = 2
_SHORTEST_PART = 3
# Letters that are no letter with a mark, and how German and Nordic writers spell theirs in ASCII.
_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ß": "ss"})


@lru_cache(maxsize=4096)
def folded(word: str) -> frozenset[str]:
    """Return the spellings of a case-folded word without diacritics: `muller` and `mueller` of `müller`."""
    return (
        frozenset() if word.isascii() else frozenset({_without_marks(word), _without_marks(word.translate(_SPELLED))})
    )


def joined(name: str) -> set[str]:
    """Return two parts of a person's name as one word, in both orders, case folded and without diacritics."""
    found = set()
    for group in name.split("="):
        parts = [re.sub(r"[^\w]|_", "", part).casefold() for part in re.split(r"[\^ ]", group)]
        long = [part for part in parts if len(part) >= _SHORTEST_PART and part.isalpha()]
        found |= {one + other for one in long for other in long if one is not other}
        # O'Brien is OBRIEN to many a system.
        found |= {part for part in long if len(part) > _SHORTEST_PART}
    return found


def signs_of(name: str) -> Iterator[str]:
    """Yield what stands for a name in a script without spaces: each part of two signs or more, and all as one."""
    for group in name.split("="):
        parts = _SIGNS.findall(group)
        yield from (part for part in (*parts, "".join(parts)) if len(part) >= _FEWEST_SIGNS)


def _without_marks(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.translate(_PLAIN))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
