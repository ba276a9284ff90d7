"""PS3.15 Table E.1-1 as data: what the Basic Profile and its options do to each attribute."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

# Type 1 and 1C need a value, 2 and 2C may be empty, 3 may be absent (PS3.5 7.4).
_CHOICE = {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "X"}
_ORDER = "XZD"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    tag
        Eight hexadecimal digits in lower case; `x` stands for any digit.
    action
        Code of the Basic Profile, such as `X` or `X/Z/D` (PS3.15 Table E.1-1a).
    options
        `K` or `C` by the name of the option.
    """

    tag: str
    keyword: str
    name: str
    action: str
    options: Mapping[str, str]

    def matches(self, tag: int) -> bool:
        """Return whether a tag is one of this row's."""
        return all(ours in {"x", theirs} for ours, theirs in zip(self.tag, f"{tag:08x}", strict=True))


@dataclass(frozen=True)
class Table:
    """The table, and the private attributes that are known to be safe (PS3.15 Table E.3.10-1).

    Attributes
    ----------
    edition
        Edition of the standard, such as `2026c`.
    safe_private
        Private creator, and group and last two digits of the element.
    """

    edition: str
    sha256: str
    rows: tuple[Row, ...]
    safe_private: frozenset[tuple[str, str]]
    _exact: Mapping[int, Row] = field(init=False, repr=False, compare=False)
    _patterns: tuple[Row, ...] = field(init=False, repr=False, compare=False)
    _found: Callable[[int], Row | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rows, since an instance asks for hundreds."""
        exact = {int(row.tag, 16): row for row in self.rows if "x" not in row.tag}
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_patterns", tuple(row for row in self.rows if "x" in row.tag))
        object.__setattr__(self, "_found", lru_cache(maxsize=16384)(self._search))

    def row(self, tag: int) -> Row | None:
        """Return the row of a tag, or None outside the table; private attributes have no row of their own."""
        return self._found(tag)

    def _search(self, tag: int) -> Row | None:
        return self._exact.get(tag) or next((row for row in self._patterns if row.matches(tag)), None)

    def is_safe_private(self, creator: str, tag: int) -> bool:
        """Return whether the standard lists a private attribute as safe, in whichever block it stands."""
        return (creator, f"{tag >> 16:04x}{tag & 0xFF:02x}") in self.safe_private


@dataclass(frozen=True)
class AttributeTypes:
    """Types of the attributes that have a compound action, from the modules of PS3.3.

    Attributes
    ----------
    sop_classes
        IOD by SOP Class UID.
    top
        Strongest type by IOD and keyword, outside sequences.
    nested
        Strongest type in any IOD, by `SequenceKeyword.Keyword`.
    """

    sop_classes: Mapping[str, str]
    top: Mapping[str, Mapping[str, str]]
    nested: Mapping[str, str]

    def resolve(self, action: str, keyword: str, sop_class_uid: str, sequence: str | None = None) -> str:
        """Return the one action that a compound one means for an object.

        Parameters
        ----------
        sequence
            Keyword of the sequence around the attribute; None outside sequences.

        Notes
        -----
        The weakest permitted action that keeps the object valid is taken. Of an unknown SOP class, or in an unknown
        sequence, every type is possible: the action that fits all of them, mostly a dummy, is taken. `X/Z/U*` is for
        sequences of references, whose UIDs are mapped.
        """
        allowed = action.split("/")
        if len(allowed) == 1 or "U*" in allowed:
            return allowed[-1]
        iod = self.sop_classes.get(sop_class_uid)
        if sequence is not None:
            kind = self.nested.get(f"{sequence}.{keyword}", "1")
        else:
            kind = "1" if iod is None else self.top[iod].get(keyword, "3")
        needed = _ORDER.index(_CHOICE[kind])
        return next((one for one in allowed if _ORDER.index(one) >= needed), allowed[-1])


def _content(name: str) -> dict[str, Any]:
    """Return a table of the package."""
    content: dict[str, Any] = json.loads((files(__package__) / name).read_text(encoding="utf-8"))
    return content


@lru_cache(maxsize=1)
def load_table() -> Table:
    """Return the table that `scripts/make_deidentification_table` wrote."""
    content = _content("ps315_e11.json")
    safe = frozenset((creator, element) for creator, element in content["safe_private"])
    return Table(content["edition"], content["sha256"], tuple(Row(**row) for row in content["rows"]), safe)


@lru_cache(maxsize=1)
def load_types() -> AttributeTypes:
    """Return the extract of PS3.3 that the same script wrote."""
    return AttributeTypes(**_content("attribute_types.json"))
