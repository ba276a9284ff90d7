"""The keys of the vault: the first one seals, each of them opens.

A file may be changed while processes use it: it is read again when it is another one. So keys are changed without
stopping anything.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dicom_node.deidentify.keys import checked_key, secret_text, write_secret
from dicom_node.deidentify.pseudonyms import SHORTEST_KEY
from dicom_node.durable import sync_folder
from dicom_node.errors import SettingsError

VARIABLE = "DICOM_NODE_VAULT_KEYS"
"""Keys in the environment, separated by commas, where no file is named."""

Keys = Mapping[str, bytes]
"""Key by its name, the one that seals first."""

_Stamp = tuple[int, int, int]


def name_of(key: bytes) -> str:
    """Return what a sealed row says of its key: 16 hexadecimal digits from which the key cannot be found."""
    return hashlib.sha256(b"vault key\0" + key).hexdigest()[:16]


@dataclass
class Keyring:
    """Keys of a file, one a line, or of the environment variable `DICOM_NODE_VAULT_KEYS`."""

    path: Path | None
    _known: tuple[_Stamp, Keys] | None = field(default=None, repr=False)

    def keys(self) -> Keys:
        """Return the keys as they are now.

        Raises
        ------
        SettingsError
            There is none, others can read the file, or one is not a key that `dicom-node make-key` would make.
        """
        if self.path is None:
            return _named(os.environ.get(VARIABLE, "").split(","), VARIABLE)
        stamp = _stamp(self.path)
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, _named(secret_text(self.path).splitlines(), str(self.path))
        return self._known[1]

    def renew(self, dropped: frozenset[str] = frozenset()) -> None:
        """Put a new random key before the others, and drop those of these names.

        Raises
        ------
        SettingsError
            The keys stand in the environment, or the file cannot be written.
        """
        if self.path is None:
            raise SettingsError(f"{VARIABLE}: put a new key before the others there, and run this again")
        kept = [key.hex() for name, key in self.keys().items() if name not in dropped]
        lines = [secrets.token_hex(SHORTEST_KEY), *kept]
        try:
            _replace(self.path, "".join(f"{line}\n" for line in lines))
        except OSError as error:
            raise SettingsError(f"{self.path}: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    before = path.stat()
    try:
        write_secret(part, text)
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(part, before.st_uid, before.st_gid)  # root rotates, the node's user reads
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def _named(texts: list[str], place: str) -> Keys:
    found = [checked_key(text, place) for text in texts if text.strip()]
    if not found:
        raise SettingsError(
            f"{place}: no key of the vault: `dicom-node make-key FILE` makes a file of one; else set {VARIABLE}"
        )
    return {name_of(key): key for key in found}


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size
