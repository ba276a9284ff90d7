"""The vault: which person, study, series and instance a pseudonym stands for, sealed.

Each row is sealed by itself with AES-256-GCM under a key that is not in the database; pseudonym, kind and the name of
the key are authenticated with it, so that no row can be put in the place of another. Whoever opens one leaves a line
in the log of accesses first.

References
----------
* NIST SP 800-38D, 8.2.2: random nonces of 96 bits
* DICOM Standard, Part 15, E.1.2: re-identification by those who are authorised to it
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.dialects import postgresql, sqlite

from dicom_node.deidentify.keyring import Keyring
from dicom_node.errors import StartError
from dicom_node.ledger.database import database_fault, writing

_NONCE, _TAG = 12, 16
_AT_ONCE = 500
# What this process has put into the vault last; a study has thousands of instances of one person.
_REMEMBERED = 10_000

_metadata = sa.MetaData()

_entry = sa.Table(
    "vault_entry",
    _metadata,
    sa.Column("pseudonym", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("key", sa.String(16), nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

_access = sa.Table(
    "vault_access",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("who", sa.String(128), nullable=False),
    sa.Column("what", sa.String(80), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("found", sa.Integer, nullable=False),
)


class VaultError(StartError):
    """The vault cannot be used: a key is missing, or a row was altered."""


class Link(NamedTuple):
    """A pseudonym and what it stands for.

    Attributes
    ----------
    kind
        ``person``, ``study``, ``series``, ``instance`` or ``accession``.
    original
        Keyword to value.
    """

    kind: str
    pseudonym: str
    original: dict[str, str]


class Access(NamedTuple):
    """Somebody asked: when (seconds since the epoch), who, for which pseudonym, why, how many rows were opened."""

    at: float
    who: str
    what: str
    reason: str
    found: int


@dataclass
class Vault:
    """A reversible map in a database of its own.

    Raises
    ------
    SettingsError
        There is no key, or a weak one.
    StartError
        The database cannot be used.
    """

    database: sa.Engine
    keyring: Keyring
    _kept: dict[tuple[str, str], None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Make the tables where there are none."""
        self.keyring.keys()
        try:
            _metadata.create_all(self.database)
        except sa.exc.DatabaseError as error:
            if not (fault := database_fault(error)):
                raise
            raise StartError(f"vault: {self.database.url.render_as_string()}: {fault}") from error

    def keep(self, links: Iterable[Link]) -> None:
        """Seal what pseudonyms stand for; durable when this returns. Twice is once.

        Raises
        ------
        VaultError
            The database cannot be written, or rows are sealed with a key that is not there.
        """
        new = [link for link in links if (link.kind, link.pseudonym) not in self._kept]
        if not new:
            return
        insert = sqlite.insert if self.database.dialect.name == "sqlite" else postgresql.insert
        try:
            with writing(self.database) as connection:
                _lock(connection, "ROW EXCLUSIVE")
                self._require_keys(connection)
                # Sealed under the lock: with keys read before it, the one that is used could be dropped meanwhile.
                rows = [self._row(link) for link in new]
                connection.execute(insert(_entry).on_conflict_do_nothing(), rows)
        except sa.exc.SQLAlchemyError as error:
            raise VaultError(f"vault: {_said(error)}") from error
        self._kept |= dict.fromkeys((link.kind, link.pseudonym) for link in new)
        while len(self._kept) > _REMEMBERED:
            self._kept.pop(next(iter(self._kept)))

    def require_keys(self) -> None:
        """Raise where rows are sealed with keys that are not among the keys: what is sealed then is under others.

        Raises
        ------
        VaultError
            With the names of the keys; or the database cannot be used.
        """
        try:
            with writing(self.database) as connection:
                _lock(connection, "ROW EXCLUSIVE")
                self._require_keys(connection)
        except sa.exc.SQLAlchemyError as error:
            raise VaultError(f"vault: {_said(error)}") from error

    def reveal(self, pseudonym: str, *, who: str, reason: str) -> tuple[Link, ...]:
        """Return what a pseudonym stands for, none if nothing; that it was asked is on record before.

        Raises
        ------
        VaultError
            The key of the row is not there, or the row was altered.
        """
        query = sa.select(_entry).where(_entry.c.pseudonym == pseudonym).order_by(_entry.c.kind)
        number = self.record(pseudonym, who=who, reason=reason)
        with self.database.connect() as connection:
            rows = connection.execute(query).all()
        links = tuple(self._opened(row) for row in rows)
        self.record_found(number, len(links))
        return links

    def record(self, what: str, *, who: str, reason: str) -> int:
        """Put on record that somebody begins to open rows, none so far; returns the number of the line."""
        told = {"at": time.time(), "who": who, "what": what, "reason": reason, "found": 0}
        with writing(self.database) as connection:
            return int(connection.execute(sa.insert(_access).values(told).returning(_access.c.id)).scalar_one())

    def record_found(self, number: int, found: int) -> None:
        """Add to a line of the record how many rows were opened."""
        with writing(self.database) as connection:
            connection.execute(sa.update(_access).where(_access.c.id == number).values(found=found))

    def rotate(self) -> int:
        """Seal every row under the first key that is not; returns how many. Whoever uses the vault meanwhile may.

        Raises
        ------
        VaultError
            The key of a row is not there, or a row was altered; the rows before it are done.
        """
        return sum(self._resealed(batch) for batch in self._batches())

    def renew_key(self) -> None:
        """Put a new key first, and drop those that no row needs; nobody seals meanwhile.

        The key that was first stays: rows may still be sealed with it, until `rotate` has done them.

        Raises
        ------
        SettingsError
            The file of the keys cannot be written.
        """
        with writing(self.database) as connection:
            _lock(connection, "SHARE ROW EXCLUSIVE")
            _first, *others = self.keyring.keys()
            self.keyring.renew(frozenset(others) - _used(connection))

    def used_keys(self) -> frozenset[str]:
        """Return the names of the keys that some row is sealed with."""
        with self.database.connect() as connection:
            return _used(connection)

    def accesses(self) -> tuple[Access, ...]:
        """Return who opened what, the first first."""
        columns = [_access.c[name] for name in Access._fields]
        with self.database.connect() as connection:
            return tuple(Access(*row) for row in connection.execute(sa.select(*columns).order_by(_access.c.id)))

    def _require_keys(self, connection: sa.Connection) -> None:
        if missing := sorted(_used(connection) - self.keyring.keys().keys()):
            verb = "is" if len(missing) == 1 else "are"
            raise VaultError(
                f"vault: rows are sealed with {', '.join(missing)}, which {verb} not among the keys: "
                "put back what is missing, or name another database"
            )

    def _batches(self) -> Iterator[list[sa.Row[tuple[str, str, str, bytes]]]]:
        first = next(iter(self.keyring.keys()))
        query = sa.select(_entry).where(_entry.c.key != first).limit(_AT_ONCE)
        while True:
            with self.database.connect() as connection:
                rows = list(connection.execute(query))
            if not rows:
                return
            yield rows

    def _resealed(self, rows: list[sa.Row[tuple[str, str, str, bytes]]]) -> int:
        with writing(self.database) as connection:
            for row in rows:
                same = sa.and_(_entry.c.pseudonym == row.pseudonym, _entry.c.kind == row.kind)
                connection.execute(sa.update(_entry).where(same).values(self._row(self._opened(row))))
        return len(rows)

    def _row(self, link: Link) -> dict[str, object]:
        name, key = next(iter(self.keyring.keys().items()))
        nonce = secrets.token_bytes(_NONCE)
        plain = json.dumps(link.original).encode()
        sealed = nonce + AESGCM(key).encrypt(nonce, plain, _bound(link.kind, link.pseudonym, name))
        return {"pseudonym": link.pseudonym, "kind": link.kind, "key": name, "sealed": sealed}

    def _opened(self, row: sa.Row[tuple[str, str, str, bytes]]) -> Link:
        key = self.keyring.keys().get(row.key)
        if key is None:
            raise VaultError(f"vault: a row is sealed with the key {row.key}, which is not among the keys")
        bound = _bound(row.kind, row.pseudonym, row.key)
        try:
            if len(row.sealed) < _NONCE + _TAG:
                raise InvalidTag
            plain = AESGCM(key).decrypt(row.sealed[:_NONCE], row.sealed[_NONCE:], bound)
        except InvalidTag as error:
            raise VaultError(f"vault: the row of {row.kind} {row.pseudonym} was altered") from error
        return Link(row.kind, row.pseudonym, json.loads(plain))


def _used(connection: sa.Connection) -> frozenset[str]:
    """Return the names of the keys of all rows, one look into the index for each: `DISTINCT` would read all of it."""
    found: list[str] = []
    while name := connection.execute(
        sa.select(sa.func.min(_entry.c.key)).where(_entry.c.key > "".join(found[-1:]))
    ).scalar():
        found.append(name)
    return frozenset(found)


def _lock(connection: sa.Connection, mode: str) -> None:
    """Take a lock of the table on Postgres; on SQLite a writer is alone already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {_entry.name} IN {mode} MODE")


def _said(error: sa.exc.SQLAlchemyError) -> str:
    """Return what the database said, in one line."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    return next(iter(str(cause or "").splitlines()), type(error).__name__)


def _bound(*parts: str) -> bytes:
    """Return what is authenticated with a row but not hidden; no part holds a NUL."""
    return "\0".join(parts).encode()
