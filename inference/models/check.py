"""What is wrong with a model folder, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from inference.atlas import Atlas
from inference.card import CARD_NAME, CardFile, judged, read_table
from inference.card_rules import CONTRADICTING, contradictions
from inference.card_sections import FileSection
from inference.card_stand_in import sound_part
from inference.errors import ModelError
from inference.models.device import faults_of_device
from inference.models.folder import model_of, network_of, require_file, require_kind
from inference.models.known_film import faults_of_golden
from inference.models.port import Runtime
from inference.models.probe import faults_of_model
from inference.recipe_table import RECIPE
from inference.serving.golden import Golden

Made = TypeVar("Made")

# What people read about a model that was trained here.
DOCUMENTS = ("evaluation.json", "README.md")
# Tables of the card that name a file.
WEIGHTS, ATLAS, GOLDEN = "weights", "atlas", "golden"
# Keys of a card without which faults of these names cannot be told.
TOGETHER: Mapping[str, frozenset[str]] = {
    "input": frozenset({"input.kind", "input.channels", "input.side", "input.size"}),
    "findings": frozenset({"findings.index", "output.count"}),
    "explanation": frozenset({"explanation.method"}),
}
# Those that say how large a golden film is and how many scores it has, and those that decide on its scores.
MEASURED = TOGETHER["input"] | {"findings.index"}
SCORING = CONTRADICTING | {"findings.operating_point", "output.values"}


def faults_of_folder(folder: Path, device: str = "cpu") -> Iterator[str]:
    """Yield what is wrong with a model folder: everything that can be told before another fault is mended.

    Hidden stay: all but the documents by a card that is no TOML; a rule between keys of one table by a fault of one of
    them; what a file holds by its digest; the network by a machine, a kind or a file of weights that is not right, and
    by an image that it does not take; the answer to the golden film by what decides which scores it gives.
    """
    yield from (f"{folder}: {fault}" for fault in faults_of_documents(folder))
    try:
        table = read_table(folder)
    except ModelError as error:
        yield str(error)
        return
    yield from (f"{folder}: {fault}" for fault in faults_of_parts(folder, table, device))


def faults_of_documents(folder: Path) -> Iterator[str]:
    """Yield what people are to read about a model that was trained here, and cannot."""
    absent: list[str] = []
    with suppress(PermissionError):  # of a folder that may not be entered the card tells
        if (folder / RECIPE).is_file():
            absent = [name for name in DOCUMENTS if not (folder / name).is_file()]
    yield from (f"{name}: not found; a model is shipped with its recipe, figures and description" for name in absent)


def faults_of_parts(folder: Path, table: Mapping[str, Any], device: str) -> list[str]:
    """Return what is wrong with card, device and files, each judged as far as those that it needs are sound."""
    _, faults = judged(table)
    said = [f"{CARD_NAME}: {fault}" for fault in faults]
    runtime = attempt(said, lambda: Runtime(device))
    files = sound_files(folder, table, said)
    atlas = attempt(said, lambda: Atlas.load(files[ATLAS])) if ATLAS in files else None
    golden = attempt(said, lambda: Golden.load(files[GOLDEN])) if GOLDEN in files else None
    card, replaced = sound_part(table, CardFile)
    strange = list(faults_of_golden(golden, card)) if golden and card and not replaced & MEASURED else []
    said += strange
    lacking = faults_of_device(card, runtime) if card and runtime else []
    said += lacking
    if card is None or runtime is None or lacking or WEIGHTS not in files or weights_replaced(replaced):
        attempt(said, lambda: require_kind(kind_in(table)))
        return said
    is_asked = not strange and not replaced & SCORING and not list(contradictions(card.findings, card.output))
    found = faults_of_network(folder, card, runtime, atlas, golden if is_asked else None)
    return said + [fault for fault in found if is_known(fault, replaced)]


def faults_of_network(
    folder: Path, card: CardFile, runtime: Runtime, atlas: Atlas | None, golden: Golden | None
) -> list[str]:
    """Return what is wrong with a network beside its card; atlas and golden film are None where they tell nothing."""
    said: list[str] = []
    network = attempt(said, lambda: network_of(folder, card, runtime))
    if network is not None:
        model = model_of(card, network, atlas, golden)
        said += attempt(said, lambda: list(faults_of_model(model, card))) or []
    return said


def is_known(fault: str, replaced: frozenset[str]) -> bool:
    """True for a fault of what a card says, not of what stands for it."""
    key = fault.partition(":")[0]
    if key.endswith(".operating_point"):  # with the name of the finding before it
        return "findings.operating_point" not in replaced
    return key not in replaced and not TOGETHER.get(key, frozenset()) & replaced


def weights_replaced(replaced: frozenset[str]) -> bool:
    """True where a card does not say how its file is read."""
    return any(key.partition(".")[0] == WEIGHTS for key in replaced)


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
