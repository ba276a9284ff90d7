"""Versions of a result: which former one a result replaces, and why.

A former result is described by what was recorded of it, never by what would be made of it today.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Cause(Enum):
    """Why there is another version of a result."""

    LATE_IMAGES = "images"
    RERUN = "rerun"
    DEADLINE = "deadline"


class RejectionReason(Enum):
    """Why a result is withdrawn: title of the rejection note (CID 7010; IHE RAD TF, IOCM).

    The values are what an operator types.
    """

    QUALITY = "quality"
    PATIENT_SAFETY = "patient-safety"


@dataclass(frozen=True)
class Reference:
    """An instance, with its place in the hierarchy (PS3.3 C.17.2.1)."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class FormerReport:
    """The DiagnosticReport of a former result, as it was recorded.

    Attributes
    ----------
    key
        Name of the report at the EHR, which all its versions share.
    status
        ``preliminary``, ``amended``, ``corrected`` or ``cancelled``.
    said
        Digest of what the report said: model and values, no times.
    observations
        Name of each Observation to its code, a CodeableConcept.
    """

    key: str
    status: str
    said: str
    observations: Mapping[str, Any]


@dataclass(frozen=True)
class FormerResult:
    """The recorded result that another one replaces.

    Attributes
    ----------
    model
        Name and version of the model that gave it; empty for what says that none did.
    documents
        Its SR documents: predecessors of the new one.
    report
        None where no bundle was recorded.
    """

    model: str
    cause: Cause
    documents: tuple[Reference, ...] = ()
    report: FormerReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for the record of what a result was made with."""
        return asdict(self) | {"cause": self.cause.value}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> FormerResult:
        """Return what `to_json` wrote."""
        return FormerResult(
            model=said["model"],
            cause=Cause(said["cause"]),
            documents=tuple(Reference(**one) for one in said["documents"]),
            report=FormerReport(**said["report"]) if said["report"] else None,
        )


def continued(former: Sequence[FormerResult], models: Sequence[str]) -> dict[str, FormerResult]:
    """Return which former result each model's new one replaces.

    A model replaces its own, whatever its version was. What said that no model gave a result is replaced by the
    first that gives one now; and where none does any more, what says so replaces the first.

    Parameters
    ----------
    models
        Name and version of each that gives a result now; one empty name where none does.
    """
    pairs: dict[str, FormerResult] = {}
    for model in models:
        own = next((one for one in former if model_name(one.model) == model_name(model)), None)
        if own is not None:
            pairs[model] = own
    unpaired = [one for one in former if one not in pairs.values()]
    if models and models[0] not in pairs and unpaired and "" in (models[0], unpaired[0].model):
        pairs[models[0]] = unpaired[0]
    return pairs


def model_name(model: str) -> str:
    """Return the name of a model without its version, which is the last word."""
    return model.rpartition(" ")[0] or model


def plain(value: object) -> str:
    """Return a value as JSON that is the same for the same value: what a digest is taken of."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
