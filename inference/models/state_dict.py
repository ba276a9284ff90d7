"""Weights alone, for a network whose architecture torchvision has."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_builder, list_models

from inference.card import CardFile
from inference.errors import InvalidCardError, ModelError
from inference.models.port import Runtime
from inference.models.torch_program import ProgramNetwork

Weights = dict[str, Tensor]
# Where training programs keep the weights among other things, and what they put before each name.
NESTS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "model.", "net.", "_orig_mod.")
# Names that a fault tells of many.
FEW = 3


def network(path: Path, card: CardFile, runtime: Runtime) -> ProgramNetwork:
    """Return the network that a file of weights and the architecture of a card make."""
    architecture = card.weights.architecture
    if architecture is None:
        raise InvalidCardError("weights.architecture: absent; a state dictionary needs it")
    if architecture not in list_models():
        near = ", ".join(get_close_matches(architecture, list_models())) or "resnet18, densenet121"
        raise InvalidCardError(f"weights.architecture: {architecture!r} is none of torchvision's, as {near}")
    if (purpose := foreign_purpose(architecture)) is not None:
        rule = "an architecture that classifies films or volumes (torchvision.models, torchvision.models.video)"
        raise InvalidCardError(f"weights.architecture: {architecture!r} is one for {purpose}; the rule is {rule}")
    return program_network(path, weights_of(path), architecture, card, runtime)


def foreign_purpose(architecture: str) -> str | None:
    """Return what an architecture of torchvision does where it does not classify, None where it does.

    Those that build on another network would fetch weights for it, and give boxes or masks in place of logits.
    """
    module = get_model_builder(architecture).__module__.removeprefix("torchvision.models.")
    purpose, _, inner = module.partition(".")
    return purpose.replace("_", " ") if inner and purpose != "video" else None


def program_network(
    path: Path, weights: Weights, architecture: str, card: CardFile, runtime: Runtime
) -> ProgramNetwork:
    """Return an architecture with weights as a network.

    Raises
    ------
    ModelError
        The weights are not those of the architecture.
    """
    module = fitted(architecture, weights, path.name)
    films = torch.zeros(2, *card.input.grid)
    try:
        program = torch.export.export(module, (films,), dynamic_shapes=({0: torch.export.Dim("films", min=1)},))
    except Exception as error:  # the tracer raises what any layer raises, and errors of its own
        takes = first_convolution(module)[1].in_channels
        raise InvalidCardError(
            f"input: {card.input.kind} of {tuple(card.input.grid)}; {architecture} of {path.name}, which takes "
            f"{takes} channels, cannot read it ({type(error).__name__})"
        ) from error
    return ProgramNetwork.of(path.name, program, card, runtime)


def weights_of(path: Path) -> Weights:
    """Return the tensors in a safetensors file, or in one of torch, read without running anything of it.

    Raises
    ------
    ModelError
        The file is damaged, or holds more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path.name}: damaged, or holds more than tensors, which could run anything; save its state_dict()"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelError(f"{path.name}: no file of weights: damaged, or another format") from error
    return unwrapped(loaded, path.name)


def unwrapped(loaded: Any, source: str) -> Weights:  # noqa: ANN401 - a file may hold anything
    """Return the weights in what a training program saved."""
    nested = next((loaded[key] for key in NESTS if isinstance(loaded, Mapping) and key in loaded), loaded)
    if not isinstance(nested, Mapping) or not all(isinstance(each, Tensor) for each in nested.values()):
        raise ModelError(f"{source}: no state dictionary: names with a tensor each")
    weights = dict(nested)
    for prefix in PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): each for name, each in weights.items()}
    return weights


def fitted(architecture: str, weights: Weights, source: str) -> nn.Module:
    """Return an architecture with the channels and outputs of the weights, ready to read.

    Raises
    ------
    InvalidCardError
        Names or shapes are those of another architecture.
    """
    head = list(get_model(architecture, weights=None).state_dict())[-1].rpartition(".")[0] + ".weight"
    if head not in weights:
        raise InvalidCardError(f"weights.architecture: {architecture} has {head}; {source} has no such tensor")
    module: nn.Module = get_model(architecture, weights=None, num_classes=len(weights[head]))
    name, convolution = first_convolution(module)
    channels = weights[f"{name}.weight"].shape[1] if f"{name}.weight" in weights else convolution.in_channels
    if channels != convolution.in_channels:
        module.set_submodule(name, for_channels(convolution, channels))
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        said = differences(module, weights) or next(iter(str(error).splitlines()), "torch does not take them")
        raise InvalidCardError(f"weights.architecture: {architecture} differs from {source}: {said}") from error
    return module.eval()


def differences(module: nn.Module, weights: Weights) -> str:
    """Return how many tensors are missing, too many or of another shape, with the names of a few."""
    own = module.state_dict()
    misshapen = [name for name, each in own.items() if name in weights and weights[name].shape != each.shape]
    fitting = {name: each for name, each in weights.items() if name not in misshapen}
    # Torch knows what may be absent: counters of batches in files of its first versions.
    names = module.load_state_dict(fitting, strict=False)
    shapes = [f"{name}: {lengths(weights[name])}, not {lengths(own[name])}" for name in misshapen]
    told = {
        "tensors missing": [name for name in names.missing_keys if name not in misshapen],
        "too many": names.unexpected_keys,
        "of another shape": shapes,
    }
    return "; ".join(f"{len(each)} {what} ({few(each)})" for what, each in told.items() if each)


def few(names: Sequence[str]) -> str:
    """Return the first of some names, each whole."""
    return ", ".join([*names[:FEW], *(["…"] if len(names) > FEW else [])])


def lengths(tensor: Tensor) -> str:
    """Return the shape of a tensor in words."""
    return " × ".join(map(str, tensor.shape)) or "one number"


def first_convolution(module: nn.Module) -> tuple[str, nn.Conv2d | nn.Conv3d]:
    """Return the layer that reads the channels of the image, and its name."""
    return next((name, each) for name, each in module.named_modules() if isinstance(each, (nn.Conv2d, nn.Conv3d)))


def for_channels(layer: nn.Conv2d | nn.Conv3d, channels: int) -> nn.Module:
    """Return a layer like another for images of other channels."""
    shape: Any = {name: getattr(layer, name) for name in ("kernel_size", "stride", "padding", "dilation")}
    return type(layer)(channels, layer.out_channels, **shape, bias=layer.bias is not None)
