"""Everything that is wrong with a model folder, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inference.card import CardFile, read_card
from inference.errors import ModelError
from inference.models.device import faults_of_device
from inference.models.folder import assembled, file_errors
from inference.models.port import Runtime
from inference.models.probe import faults_of_model

RECIPE = "recipe.toml"
# What people read about a model that was trained here.
DOCUMENTS = ("evaluation.json", "README.md")


def faults_of_folder(folder: Path, device: str = "cpu") -> Iterator[str]:
    """Yield everything that is wrong with a model folder; a fault that hides others comes alone."""
    if (folder / RECIPE).is_file():
        yield from (
            f"{folder / name}: not found; a model is shipped with its recipe, figures and description"
            for name in DOCUMENTS
            if not (folder / name).is_file()
        )
    try:
        card, runtime = read_card(folder), Runtime(device)
    except ModelError as error:
        yield str(error)
        return
    yield from (f"{folder}: {fault}" for fault in faults_of_card_and_files(folder, card, runtime))


def faults_of_card_and_files(folder: Path, card: CardFile, runtime: Runtime) -> Iterator[str]:
    """Yield what is wrong with the files of a sound card, with the device, and with what the network gives."""
    faults = [*map(str, file_errors(folder, card)), *faults_of_device(card, runtime)]
    yield from faults
    if faults:
        return
    try:
        model = assembled(folder, card, runtime)
    except ModelError as error:
        yield str(error)
        return
    yield from faults_of_model(model, card)
