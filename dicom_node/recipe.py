"""What results are made with beside the instances: recorded with each generation, and taken from there by a rebuild.

Equipment, labels, forms, models and device are of the record. Weights, cards and libraries are too large to keep: their
digests and versions are, so that a rebuild can say which of them differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dicom_node.roster import Roster
from dicom_node.settings import ModelSettings, Settings
from dicom_node.slot import Slot
from structured_reports.port import Equipment

# Whatever the bytes of a result follow from, beside this package
_LIBRARIES = (
    "dicom-node", "highdicom", "numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "pillow", "pydicom",
    "pyjpegls", "pylibjpeg-openjpeg", "reportlab", "torch",
)  # fmt: skip


def recipe(
    settings: Settings, roster: Roster, equipment: Equipment, device: str, forms: Collection[str]
) -> dict[str, Any]:
    """Return what results are made with, as plain values for the ledger.

    Parameters
    ----------
    device
        Of the worker, for models that have none of their own.
    """
    report = settings.report
    return {
        "equipment": asdict(equipment),
        "notice": report.notice,
        "not_performed": report.not_performed,
        "fhir": {"patient_system": report.fhir.patient_system, "create_patient": report.fhir.create_patient},
        "forms": sorted(forms),
        "device": device,
        "threads": settings.work.threads,
        "models": [_model(slot) for slot in roster.slots],
        "software": software(),
    }


def settings_of(made_with: Mapping[str, Any], now: Settings) -> Settings:
    """Return the settings that results were made with; where the node keeps its data is a matter of now."""
    report = now.report.model_copy(
        update={
            "notice": made_with["notice"],
            "not_performed": made_with["not_performed"],
            "fhir": now.report.fhir.model_copy(update=made_with["fhir"]),
        }
    )
    models = tuple(ModelSettings.model_validate(one["settings"]) for one in made_with["models"])
    work = now.work.model_copy(update={"devices": (made_with["device"],), "threads": made_with["threads"]})
    return now.model_copy(update={"report": report, "models": models, "work": work})


def software() -> dict[str, str]:
    """Return the version of each library that is installed."""
    return {name: found for name in _LIBRARIES if (found := _version(name))}


def changes(made_with: Mapping[str, Any], roster: Roster | None) -> Iterator[str]:
    """Yield what is no longer as results were made with.

    Parameters
    ----------
    roster
        Of the recorded models, loaded now; None where no model was asked.
    """
    for then, slot in zip(made_with.get("models", ()), roster.slots if roster else (), strict=False):
        now = _model(slot)
        if slot.fault:
            yield f"the model {then['name']} cannot be used: {slot.fault}"
        yield from (f"{what} of the model {then['name']} changed" for what in _CONTENT if then[what] != now[what])
    now_installed, then_installed = software(), made_with["software"]
    for name in sorted(now_installed.keys() | then_installed.keys()):
        was, is_now = (one.get(name, "not installed") for one in (then_installed, now_installed))
        if was != is_now:
            yield f"{name} was {was} and is {is_now}"


_CONTENT = ("weights", "card")


def _model(slot: Slot) -> dict[str, Any]:
    card = slot.settings.folder / "card.toml"
    return {
        "name": slot.name,
        "settings": slot.settings.model_dump(mode="json"),
        "weights": slot.ready.card.digest if slot.ready else "",
        "card": hashlib.sha256(card.read_bytes()).hexdigest() if card.exists() else "",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def sentence(found: Sequence[str]) -> str:
    """Return changes as an addition to a fault; empty without any."""
    return f" ({'; '.join(found)})" if found else ""
