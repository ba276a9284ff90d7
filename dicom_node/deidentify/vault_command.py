"""`dicom-node vault`: reveal, rotate, log."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from dicom_node.deidentify.vault import Vault
from dicom_node.errors import NothingToDoError

# What the log calls it, in the place of a pseudonym.
_ROTATION = "rotate"


def reveal(vault: Vault, pseudonym: str, reason: str, console: Console) -> bool:
    """Print what a pseudonym stands for; returns whether the vault has it.

    Raises
    ------
    NothingToDoError
        No reason is given.
    """
    if not reason.strip():
        raise NothingToDoError("--reason: say why it must be known")
    found = vault.reveal(pseudonym, who=_who(), reason=reason)
    for link in found:
        table = Table("attribute", "original", title=f"{link.kind} {link.pseudonym}")
        for keyword, value in link.original.items():
            table.add_row(keyword, value)
        console.print(table, markup=False)
    return bool(found)


def rotate(vault: Vault, console: Console) -> None:
    """Seal everything under a new first key, and put that on record.

    Of the keys before, the former one is kept; those that no row needs are dropped.
    """
    keyring = vault.keyring
    number = vault.record(_ROTATION, who=_who(), reason="a new key")
    if keyring.path is not None:
        vault.renew_key()
    sealed = vault.rotate()
    vault.record_found(number, sealed)
    console.print(f"{sealed} entries sealed anew with the key {next(iter(keyring.keys()))}")
    if keyring.path is not None:
        console.print(f"{keyring.path} is another one now: keep it secret, and keep a copy", markup=False)


def show_log(vault: Vault, console: Console) -> None:
    """Print every access and rotation, the first first."""
    table = Table("when", "who", "what", "why", "found")
    for one in vault.accesses():
        when = datetime.fromtimestamp(one.at, tz=UTC).astimezone().isoformat(timespec="seconds")
        table.add_row(when, one.who, one.what, one.reason, str(one.found))
    console.print(table, markup=False)


def _who() -> str:
    """Return the account, and the one that `sudo` names as before it."""
    number, before = os.getuid(), os.environ.get("SUDO_USER")
    try:
        # Of the process itself: LOGNAME and USER are what anybody sets them to.
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return f"{name} ({before})" if before else name
