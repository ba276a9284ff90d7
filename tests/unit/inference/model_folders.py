"""Model folders that a test makes: a card around a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from inference.models.folder import sha256_of

FILM = {
    "modalities": ["CR", "DX"], "body_parts": ["CHEST"], "views": ["AP", "PA"], "side": 64, "channels": 3,
    "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225],
}  # fmt: skip
PNEUMONIA = {"value": "233604007", "scheme": "SCT", "meaning": "Pneumonia"}
EFFUSION = {"value": "60046008", "scheme": "SCT", "meaning": "Pleural effusion"}
LUNG = {"value": "39607008", "scheme": "SCT", "meaning": "Lung"}
CLASS_ACTIVATION = {
    "value": "130402", "scheme": "DCM", "meaning": "Class activation", "method": "class-activation",
}  # fmt: skip
GRAD_CAM = {
    "value": "130403", "scheme": "DCM", "meaning": "Gradient-weighted class activation", "method": "grad-cam",
}  # fmt: skip


def finding(name: str = "pneumonia", code: Mapping[str, str] = PNEUMONIA, **more: object) -> dict[str, object]:
    return {"name": name, "code": code, "site": LUNG, "threshold": 0.5, **more}


def literal(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {literal(each)}" for key, each in value.items()) + " }"
    return "[" + ", ".join(map(literal, value)) + "]" if isinstance(value, (list, tuple)) else json.dumps(value)


def write_card(
    folder: Path,
    file: str,
    kind: str,
    findings: list[dict[str, object]] | None = None,
    taken: Mapping[str, object] = FILM,
    weights: Mapping[str, object] | None = None,
    **tables: object,
) -> Path:
    """Write the card of a file that lies in a folder; keyword arguments are further keys of the card."""
    digest = sha256_of(folder / file)
    card = {
        "name": "ours", "version": "1", "manufacturer": "Hospital", "intended_use": "Tests.", **tables,
        "weights": {"kind": kind, "file": file, "sha256": digest, **(weights or {})}, "input": taken,
        "findings": findings or [finding()],
    }  # fmt: skip
    text = "".join(f"{key} = {literal(value)}\n" for key, value in card.items())
    (folder / "card.toml").write_text(text, encoding="utf-8")
    return folder
