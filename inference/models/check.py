"""Everything that is wrong with a model folder, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from inference.atlas import Atlas
from inference.card import CARD_NAME, CardFile, judged, read_table
from inference.card_sections import FileSection
from inference.errors import ModelError
from inference.models.device import faults_of_device
from inference.models.folder import model_of, network_of, require_file, require_kind
from inference.models.known_film import faults_of_golden
from inference.models.port import Runtime
from inference.models.probe import faults_of_model
from inference.serving.golden import Golden

Made = TypeVar("Made")

RECIPE = "recipe.toml"
# What people read about a model that was trained here.
DOCUMENTS = ("evaluation.json", "README.md")
# Tables of the card that name a file.
WEIGHTS, ATLAS, GOLDEN = "weights", "atlas", "golden"


def faults_of_folder(folder: Path, device: str = "cpu") -> Iterator[str]:
    """Yield everything that is wrong with a model folder; only a card that is no TOML hides the rest."""
    yield from (f"{folder}: {fault}" for fault in faults_of_documents(folder))
    try:
        table = read_table(folder)
    except ModelError as error:
        yield str(error)
        return
    yield from (f"{folder}: {fault}" for fault in faults_of_parts(folder, table, device))


def faults_of_documents(folder: Path) -> Iterator[str]:
    """Yield what people are to read about a model that was trained here, and cannot."""
    if (folder / RECIPE).is_file():
        absent = [name for name in DOCUMENTS if not (folder / name).is_file()]
        yield from (
            f"{name}: not found; a model is shipped with its recipe, figures and description" for name in absent
        )


def faults_of_parts(folder: Path, table: Mapping[str, Any], device: str) -> list[str]:
    """Return what is wrong with card, device and files, each judged as far as those that it needs are sound."""
    card, faults = judged(table)
    said = [f"{CARD_NAME}: {fault}" for fault in faults]
    runtime = attempt(said, lambda: Runtime(device))
    files = sound_files(folder, table, said)
    atlas = attempt(said, lambda: Atlas.load(files[ATLAS])) if ATLAS in files else None
    golden = attempt(said, lambda: Golden.load(files[GOLDEN])) if GOLDEN in files else None
    strange = list(faults_of_golden(golden, card)) if golden and card else []
    said += strange
    tried = stand_in(table) if card is None or faults else card
    lacking = faults_of_device(tried, runtime) if tried and runtime else []
    said += lacking
    if tried is None or runtime is None or lacking or WEIGHTS not in files:
        attempt(said, lambda: require_kind(kind_in(table)))
        return said
    network = attempt(said, lambda: network_of(folder, tried, runtime))
    if network is not None:
        model = model_of(tried, network, atlas, None if strange or tried is not card else golden)
        said += attempt(said, lambda: list(faults_of_model(model, tried))) or []
    return said


def stand_in(table: Mapping[str, Any]) -> CardFile | None:
    """Return a card that says of file and input what a faulty one does, and nothing of findings.

    So that a wrong code does not hide that the network takes another image. None where these are faulty too.
    """
    kept = {name: table[name] for name in (WEIGHTS, "input", "device") if name in table}
    code = {"value": "0", "scheme": "99STANDIN", "meaning": "Any"}
    finding = {"name": "any", "code": code, "site": code, "threshold": 0.5, "index": 0}
    card, faults = judged({"name": "any", "version": "0", "intended_use": "None", "findings": [finding], **kept})
    return None if faults else card


def attempt(said: list[str], made: Callable[[], Made]) -> Made | None:
    """Return what a function makes; where it cannot, None, and why is said."""
    try:
        return made()
    except ModelError as error:
        said.append(str(error))
    except Exception as error:  # a strange file may break anything, and the other faults are to be said too
        said.append(f"unexpected {type(error).__name__}: {next(iter(str(error).splitlines()), 'without a word')}")
    return None


def sound_files(folder: Path, table: Mapping[str, Any], said: list[str]) -> Mapping[str, Path]:
    """Return the files that are those that a card names, by the table that names them."""
    sound: dict[str, Path] = {}
    for name in (WEIGHTS, ATLAS, GOLDEN):
        file = file_in(table.get(name))
        if file is not None:
            before = len(said)
            attempt(said, lambda file=file: require_file(folder, file))  # type: ignore[misc]
            if len(said) == before:
                sound[name] = folder / file.file
    return sound


def file_in(section: object) -> FileSection | None:
    """Return the file that a table of a card names; None where it names none that could be one."""
    if not isinstance(section, Mapping):
        return None
    try:
        return FileSection.model_validate({key: section[key] for key in FileSection.model_fields if key in section})
    except ValidationError:
        return None


def kind_in(table: Mapping[str, Any]) -> str:
    """Return the kind of weights that a card names; where it is no text, the rule about that is told elsewhere."""
    weights = table.get(WEIGHTS)
    kind = weights.get("kind") if isinstance(weights, Mapping) else None
    return kind if isinstance(kind, str) else "onnx"
