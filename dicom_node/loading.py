"""Loading a model and giving its rehearsal, so that one which comes to no end keeps no other from work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_node.errors import NodeError, StartError
from dicom_node.observe.events import name_of
from dicom_node.suspects import Suspects
from inference.card import read_card
from inference.errors import ModelError
from inference.models import Model, VolumeModel, load_any
from inference.serving.watchdog import Watchdog

# What hangs while it starts is noted under these names, as a film is under its digest.
LOADING, REHEARSAL = "loading", "rehearsal"
# The largest networks are captured and measured on a device in less.
LIMIT_S = 600.0


def suspects_of(data_dir: Path, digest: str) -> Suspects:
    """Return the films on which a model of these weights came to no end."""
    return Suspects(data_dir / "suspects" / digest[:16])


def loaded(folder: Path, data_dir: Path, device: str, threads: int) -> Model | VolumeModel:
    """Return a model, loaded; this process ends where that comes to no end, and does not try a third time.

    Raises
    ------
    StartError
        It cannot be loaded, or came to no end twice.
    """
    try:
        suspects = suspects_of(data_dir, read_card(folder).weights.sha256)
        for name in (LOADING, REHEARSAL):
            if suspects.is_banned(name):
                hung = f"the network came to no end twice at its {name}"
                raise StartError(f"{folder}: {hung}; remove {suspects.folder / name} to try again")
        with ended(suspects):
            return load_any(folder, device=device, threads=threads)
    except ModelError as error:
        raise StartError(str(error)) from error


def fault_of(error: Exception) -> str:
    """Return what is wrong with a model that was not loaded: the words for people, else what broke and where."""
    return str(error) if isinstance(error, NodeError) else f"unexpected {name_of(error)}"


@contextmanager
def ended(suspects: Suspects) -> Iterator[None]:
    """End the process where the block, which no other thread can stop, takes longer than the limit."""
    watchdog = Watchdog(suspects.end_process, LIMIT_S, grace_s=1.0)
    try:
        with watchdog.watching(None, [LOADING]):
            yield
    finally:
        watchdog.close()
