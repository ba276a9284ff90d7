"""Which result of a study stands for what: what a version continues, and what it replaces.

A generation that has results speaks for all models, where none failed for a fault of the node; else for those that gave
a result or a reason why there is none. What it does not speak for stands as it was before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from dicom_node.ledger.generations import FAILED, REFUSED, REPORTED, RecordedResult
from dicom_node.ledger.schema import delivery, generation, reading, result
from structured_reports.lifecycle import model_name

_NOBODY = ""
"""Model of what says that none gave a result."""


@dataclass(frozen=True)
class _Read:
    """A generation that was read."""

    id: int
    reason_code: str | None
    state: str


@dataclass(frozen=True)
class Spoken:
    """What generations speak for.

    Attributes
    ----------
    everything
        True where no model failed.
    names
        Models without their version; an empty one for what says that none gave a result.
    """

    everything: bool = False
    names: frozenset[str] = frozenset()

    def covers(self, model: str) -> bool:
        """Return whether a result of a model is replaced."""
        return self.everything or model_name(model) in self.names

    def __or__(self, other: Spoken) -> Spoken:
        return Spoken(self.everything or other.everything, self.names | other.names)


def former_results(connection: sa.Connection, study_uid: str, before: int) -> dict[str, list[RecordedResult]]:
    """Return the results that stood before a generation, by model: those of its last generation that gave one.

    Of several forms of one those that some destination took, or the first where none took any: a form that nobody has
    is nothing that a later version could replace.
    """
    found: dict[str, list[RecordedResult]] = {}
    spoken = Spoken()
    for row in _recorded(connection, study_uid, generation.c.number < before, newest_first=True):
        for one in _had(connection, row.id):
            if not spoken.covers(one.model):
                found.setdefault(one.model, []).append(one)
        spoken |= _speaks_for(connection, row)
        if spoken.everything:
            break
    return found


def spoken_for(connection: sa.Connection, study_uid: str, after: int) -> Spoken:
    """Return what the generations after one speak for: a result of it must not arrive after theirs."""
    spoken = Spoken()
    for row in _recorded(connection, study_uid, generation.c.number > after):
        spoken |= _speaks_for(connection, row)
    return spoken


def _recorded(
    connection: sa.Connection, study_uid: str, which: sa.ColumnElement[bool], *, newest_first: bool = False
) -> list[_Read]:
    """Return the generations that were read and have results, whether or not those were withdrawn since."""
    query = sa.select(generation.c.id, generation.c.reason_code, generation.c.state).where(
        generation.c.study_uid == study_uid,
        which,
        generation.c.state.in_([REPORTED, REFUSED]),
        sa.exists().where(result.c.generation_id == generation.c.id),
    )
    number = generation.c.number
    ordered = query.order_by(number.desc() if newest_first else number)
    return [_Read(*row) for row in connection.execute(ordered)]


def _speaks_for(connection: sa.Connection, read: _Read) -> Spoken:
    asked = sa.select(reading.c.model, reading.c.reason_code).where(reading.c.generation_id == read.id)
    codes = {row.model: row.reason_code for row in connection.execute(asked)}
    gave = sa.select(result.c.model).where(result.c.generation_id == read.id).distinct()
    models = {*connection.execute(gave).scalars(), *(one for one, code in codes.items() if code != FAILED)}
    if read.state == REPORTED:
        models.add(_NOBODY)
    everything = FAILED not in (read.reason_code, *codes.values())
    return Spoken(everything, frozenset(map(model_name, models)))


def _had(connection: sa.Connection, generation_id: int) -> Iterator[RecordedResult]:
    """Yield the results that stand, without the forms that nobody has where somebody has another."""
    forms: dict[str, list[RecordedResult]] = {}
    for one in _standing(connection, generation_id):
        forms.setdefault(one.alternative_to or one.uid, []).append(one)
    taken = _taken(connection, generation_id)
    for of_one in forms.values():
        yield from [one for one in of_one if one.uid in taken] or of_one[:1]


def _taken(connection: sa.Connection, generation_id: int) -> set[str]:
    proofs = sa.select(delivery.c.proof).where(delivery.c.generation_id == generation_id)
    return {one["uid"] for proof in connection.execute(proofs).scalars() for one in proof or ()}


def _standing(connection: sa.Connection, generation_id: int) -> Iterator[RecordedResult]:
    columns = [result.c[name] for name in RecordedResult.__dataclass_fields__]
    standing = sa.and_(result.c.generation_id == generation_id, result.c.withdrawn_by.is_(None))
    for row in connection.execute(sa.select(*columns).where(standing).order_by(result.c.id)):
        yield RecordedResult(*row)
