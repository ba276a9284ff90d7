"""Programs that `torch.export.save` wrote (.pt2)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch
from torch.export import ExportedProgram

from inference.card import CardFile
from inference.errors import ModelError
from inference.models.port import Runtime
from inference.models.torch_program import ProgramNetwork


def network(path: Path, card: CardFile, runtime: Runtime) -> ProgramNetwork:
    """Return the network in a file."""
    return ProgramNetwork.of(path.name, loaded(path), card, runtime)


def loaded(path: Path) -> ExportedProgram:
    """Return the program in a file.

    Raises
    ------
    ModelError
        The file is no program.
    """
    # On a file that is none torch prints a whole traceback before it raises.
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path.name}: no program of torch.export: damaged, or another format")
    try:
        return torch.export.load(io.BytesIO(path.read_bytes()))
    except Exception as error:  # the reader raises whatever the parts of the archive raise
        raise ModelError(
            f"{path.name}: torch.export cannot load it: damaged, or another format ({type(error).__name__})"
        ) from error
