"""Model folders: a card, the weights that it names, and what people read about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from inference.atlas import Atlas
from inference.card import CardFile, read_card
from inference.card_input import InputSection
from inference.card_sections import FileSection
from inference.errors import DigestMismatchError, InvalidCardError, MissingWeightsError, ModelError
from inference.models.device import faults_of_device
from inference.models.model import Model, VolumeModel
from inference.models.port import Network, Runtime
from inference.models.probe import contradictions
from inference.serving.golden import Golden

DEFAULT_MODEL = Path(__file__).parent.parent / "shipped" / "pneumonia-lite0"

# Each is a module with a function `network`, imported when a card asks for it: serving ONNX needs no torch.
KINDS: Mapping[str, str] = {
    "onnx": "inference.models.onnx",
    "torch-export": "inference.models.torch_export",
    "torchscript": "inference.models.torchscript",
    "state-dict": "inference.models.state_dict",
    "torchxrayvision": "inference.models.xrayvision",
    "triton": "inference.models.triton",
}
# What a kind needs, and the extra of this package that brings it.
EXTRAS = {"torch": "torch", "torchvision": "torch", "safetensors": "torch", "tritonclient": "triton"}


class Kind(Protocol):
    """What a module of `KINDS` has."""

    def network(self, path: Path, card: CardFile, runtime: Runtime) -> Network:
        """Return the network in a file; raises ModelError where the file is none or contradicts the card."""


def load_model(folder: Path, device: str = "cpu", threads: int = 1) -> Model:
    """Return the model of films in a folder; its weights are verified before anything of them is run.

    Raises
    ------
    MissingWeightsError
        No card, or no weights.
    DigestMismatchError
        The weights are not those that the card names.
    InvalidCardError
        The card breaks its schema or contradicts the weights; or its model reads volumes.
    ModelError
        The device is not there, or the runtime refuses the weights.
    """
    return model_of_films(folder, read_card(folder), Runtime(device, threads))


def model_of_films(folder: Path, card: CardFile, runtime: Runtime) -> Model:
    """Return the model of films of a card; raises as `load_model`."""
    if not isinstance(card.input, InputSection):
        raise InvalidCardError(f"{folder}: input.kind: {card.input.kind}; films are read here")
    model = opened(folder, card, runtime)
    assert isinstance(model, Model)  # noqa: S101 - narrows the type
    return model


def load_proven(folder: Path) -> Model:
    """Return the model of films in a folder, which answers its golden film rightly: for figures that are published.

    Raises
    ------
    ModelError
        It answers otherwise; and as `load_model`.
    """
    model = load_model(folder)
    if fault := model.golden_fault():
        raise ModelError(f"{folder}: {fault}")
    return model


def load_any(folder: Path, device: str = "cpu", threads: int = 1) -> Model | VolumeModel:
    """Return the model in a folder, of films or of volumes; raises as `load_model`."""
    return opened(folder, read_card(folder), Runtime(device, threads))


def opened(folder: Path, card: CardFile, runtime: Runtime) -> Model | VolumeModel:
    """Return the model of a card, its files verified and its network tried on a black image."""
    try:
        model = assembled(folder, card, runtime)
        faults = list(contradictions(model, card))
    except ModelError as error:
        raise type(error)(f"{folder}: {error}") from error
    if faults:
        raise InvalidCardError(f"{folder}: " + "; ".join(faults))
    return model


def assembled(folder: Path, card: CardFile, runtime: Runtime) -> Model | VolumeModel:
    """Return the model of a card, its files verified; what its network gives is not known yet."""
    for named in card.files():
        require_file(folder, named)
    for fault in faults_of_device(card, runtime):
        raise ModelError(fault)
    network = network_of(folder, card, runtime)
    atlas = Atlas.load(folder / card.atlas.file) if card.atlas else None
    golden = Golden.load(folder / card.golden.file) if card.golden else None
    return model_of(card, network, atlas, golden)


def model_of(card: CardFile, network: Network, atlas: Atlas | None, golden: Golden | None) -> Model | VolumeModel:
    """Return the model that a card makes of its parts."""
    said, guard, scoring = card.model_card(), card.input.guard(), card.scoring()
    if isinstance(card.input, InputSection):
        return Model(said, card.input.preprocessing(), guard, scoring, network, atlas, golden)
    return VolumeModel(said, card.input.preprocessing(), guard, scoring, network, atlas, golden)


def network_of(folder: Path, card: CardFile, runtime: Runtime) -> Network:
    """Return the network that a card names."""
    weights = card.weights
    require_kind(weights.kind)
    try:
        kind = cast(Kind, import_module(KINDS[weights.kind]))
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        extra = f"the extra {EXTRAS[missing]!r} of dicom-node brings it"
        raise ModelError(f"weights.kind: {weights.kind} needs {missing}, which is not installed; {extra}") from error
    return kind.network(folder / weights.file, card, runtime)


def require_kind(kind: str) -> None:
    """Raise InvalidCardError for a kind of weights that there is not."""
    if kind not in KINDS:
        raise InvalidCardError(f"weights.kind: {kind!r} is none of {', '.join(KINDS)}")


def require_file(folder: Path, named: FileSection) -> None:
    """Raise for a file that is not the one that the card names.

    Raises
    ------
    MissingWeightsError
        It is not there, or cannot be read.
    DigestMismatchError
        It is another.
    """
    try:
        if not (folder / named.file).is_file():
            raise MissingWeightsError(f"{named.file}: not found; the card names it")
        found = sha256_of(folder / named.file)
    except OSError as error:
        raise MissingWeightsError(f"{named.file}: cannot be read ({error.strerror})") from error
    if found != named.sha256:
        raise DigestMismatchError(f"{named.file}: sha256 is {found}, the card expects {named.sha256}")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
