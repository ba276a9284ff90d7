"""Secret keys: made once, kept secret, and refused where they could be guessed or read by others."""

from __future__ import annotations

import binascii
import os
import secrets
import stat
import string
from itertools import pairwise
from pathlib import Path

from dicom_node.deidentify.pseudonyms import SHORTEST_KEY
from dicom_node.durable import sync_folder
from dicom_node.errors import SettingsError, StartError

VARIABLE = "DICOM_NODE_SITE_KEY"
# Of 32 random bytes, fewer than 16 different ones come up once in 10^20 keys; so it is with the steps between them.
_FEWEST_DIFFERENT = 16
_TEXT = string.printable.encode()
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_key(path: Path) -> None:
    """Write a new random key as hexadecimal digits, readable by its owner alone.

    Raises
    ------
    StartError
        The file exists (a key is never overwritten: its pseudonyms could not be made again) or cannot be written.
    """
    try:
        write_secret(path, secrets.token_hex(SHORTEST_KEY) + "\n")
    except FileExistsError as error:
        raise StartError(f"{path}: exists; a key is never overwritten") from error
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; durable when this returns.

    Raises
    ------
    OSError
        The file exists, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)


def site_key(path: Path | None) -> bytes:
    """Return the key of a file, or of the environment variable `DICOM_NODE_SITE_KEY` where no file is named.

    Raises
    ------
    SettingsError
        There is none, others can read the file, or the key is not one that `dicom-node make-key` would make.
    """
    if path is not None:
        return checked_key(secret_text(path), str(path))
    if text := os.environ.get(VARIABLE, ""):
        return checked_key(text, VARIABLE)
    raise SettingsError(f"no site key: name its file or set {VARIABLE}; `dicom-node make-key FILE` makes one")


def secret_text(path: Path) -> str:
    """Return the text of a file that only its owner can read.

    Raises
    ------
    SettingsError
        It cannot be read, others can read it, or it is no text of a key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: a key is {2 * SHORTEST_KEY} or more hexadecimal digits") from error
    if mode & _OTHERS:
        raise SettingsError(f"{path}: mode {stat.S_IMODE(mode):04o} lets others read the key; 0600 is needed")
    return text


def checked_key(text: str, place: str) -> bytes:
    """Return a key from its hexadecimal digits.

    Parameters
    ----------
    place
        Where it stands, for the message; the message never repeats the key.

    Raises
    ------
    SettingsError
        It is not one that `make_key` would make.
    """
    try:
        key = binascii.unhexlify(text.strip())
    except (binascii.Error, ValueError) as error:
        raise SettingsError(f"{place}: a key is {2 * SHORTEST_KEY} or more hexadecimal digits") from error
    if len(key) < SHORTEST_KEY:
        raise SettingsError(f"{place}: {len(key)} bytes; a key has {SHORTEST_KEY} at least")
    if len(set(key)) < _FEWEST_DIFFERENT:
        raise SettingsError(f"{place}: the key repeats itself; `dicom-node make-key FILE` makes a random one")
    if _is_guessable(key):
        raise SettingsError(f"{place}: the key can be guessed; `dicom-node make-key FILE` makes a random one")
    return key


def _is_guessable(key: bytes) -> bool:
    """Return whether the bytes count up or down, or spell a text; random ones do once in 10^13 keys."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return len(steps) < _FEWEST_DIFFERENT or all(byte in _TEXT for byte in key)
