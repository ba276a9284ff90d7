"""Model folders: a card, the weights that it names, and what people read about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from inference.atlas import Atlas
from inference.card import CardFile, read_card
from inference.errors import DigestMismatchError, InvalidCardError, MissingWeightsError, ModelError
from inference.models.model import Model
from inference.models.onnx import OnnxNetwork
from inference.models.port import Network
from inference.serving.golden import Golden

DEFAULT_MODEL = Path(__file__).parent.parent / "shipped" / "pneumonia-lite0"

KINDS: Mapping[str, Callable[[Path, str, int], Network]] = {
    "onnx": OnnxNetwork,
}
EXPECTED_FILES = ("recipe.toml", "evaluation.json", "README.md")


def load_model(folder: Path, device: str = "cpu", threads: int = 1) -> Model:
    """Return the model in a folder; its weights are verified before anything of them is run.

    Raises
    ------
    MissingWeightsError
        No card, or no weights.
    DigestMismatchError
        The weights are not those that the card names.
    InvalidCardError
        The card breaks its schema or contradicts the weights.
    ModelError
        The device is not there, or the runtime refuses the weights.
    """
    card = read_card(folder)
    verify(folder, card)
    network = network_kind(card)(folder / card.weights.file, device, threads)
    return Model(
        card.model_card(),
        card.input.preprocessing(),
        card.input.guard(),
        card.scoring(),
        network,
        atlas_of(folder, card),
        Golden.load(folder / card.golden.file) if card.golden else None,
    )


def network_kind(card: CardFile) -> Callable[[Path, str, int], Network]:
    """Return what loads the weights of a card."""
    if card.weights.kind not in KINDS:
        raise InvalidCardError(f"weights.kind: {card.weights.kind!r} is none of {', '.join(KINDS)}")
    return KINDS[card.weights.kind]


def atlas_of(folder: Path, card: CardFile) -> Atlas | None:
    """Return the films that the model knows, None where its card names none."""
    return Atlas.load(folder / card.atlas.file) if card.atlas else None


def verify(folder: Path, card: CardFile) -> None:
    """Raise unless each file is the one that the card names."""
    for named in card.files():
        path = folder / named.file
        if not path.is_file():
            raise MissingWeightsError(f"{path}: not found; the card names it")
        found = sha256_of(path)
        if found != named.sha256:
            raise DigestMismatchError(f"{path}: sha256 is {found}, the card expects {named.sha256}")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def faults_of_folder(folder: Path) -> Iterator[str]:
    """Yield everything that is wrong with a model folder."""
    for name in EXPECTED_FILES:
        if not (folder / name).is_file():
            yield f"{folder / name}: not found; a model is shipped with its recipe, figures and description"
    try:
        model = load_model(folder)
        answers = model.network.run(np.zeros((1, 1, model.preprocessing.side, model.preprocessing.side), np.float32))
    except ModelError as error:
        yield str(error)
        return
    if not answers.is_finite:
        yield f"{folder}: the network gives values that are not finite for a black film"
