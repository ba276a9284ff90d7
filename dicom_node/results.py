"""The recorded result objects: written once, sent from here on every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dicom_node.durable import durable_write
from dicom_node.ledger.generations import Generation, RecordedResult
from dicom_node.study import study_key
from inference.types import Familiarity, Prediction
from structured_reports.port import DICOM, FHIR_JSON, ResultObject

SUFFIXES = {DICOM: ".dcm", FHIR_JSON: ".json"}


@dataclass(frozen=True)
class Results:
    """Folder of result objects, by study key and generation."""

    root: Path

    def write(self, generation: Generation, model: str, objects: Sequence[ResultObject]) -> tuple[RecordedResult, ...]:
        """Make the result objects of a model durable and return what is to be recorded of them."""
        key = study_key(generation.study_uid)
        folder = Path(key[:2]) / key / str(generation.number)
        return tuple(self._write(folder, model, one) for one in objects)

    def read(self, recorded: RecordedResult) -> ResultObject:
        """Return a recorded result object, its bytes as they were written."""
        return ResultObject(
            kind=recorded.kind,
            uid=recorded.uid,
            media_type=recorded.media_type,
            content=(self.root / recorded.path).read_bytes(),
            sop_class_uid=recorded.sop_class_uid,
            transfer_syntax_uid=recorded.transfer_syntax_uid,
            picture=(self.root / recorded.picture).read_bytes() if recorded.picture else None,
            form=recorded.form,
            alternative_to=recorded.alternative_to,
        )

    def _write(self, folder: Path, model: str, one: ResultObject) -> RecordedResult:
        digest = hashlib.sha256(one.content).hexdigest()
        # Two models, or two runs of one generation that came to other results, must not write over each other.
        path = folder / f"{one.kind}-{digest[:12]}{SUFFIXES[one.media_type]}"
        durable_write(self.root / path, one.content)
        picture = None
        if one.picture is not None:
            picture = str(path.with_suffix(".png"))
            durable_write(self.root / picture, one.picture)
        return RecordedResult(
            model=model,
            kind=one.kind,
            uid=one.uid,
            media_type=one.media_type,
            sop_class_uid=one.sop_class_uid,
            transfer_syntax_uid=one.transfer_syntax_uid,
            path=str(path),
            picture=picture,
            sha256=digest,
            form=one.form,
            alternative_to=one.alternative_to,
        )


def told(prediction: Prediction) -> dict[str, Any]:
    """Return what a model said, as plain values: for the ledger and for programs."""
    return {
        "scores": {
            one.finding.name: {
                "score": round(one.score, 6),
                "threshold": one.finding.threshold,
                "above": one.above,
            }
            for one in prediction.scores
        },
        "familiarity": _familiarity(prediction.familiarity),
        "literature": list(prediction.card.references),
    }


def _familiarity(familiarity: Familiarity | None) -> dict[str, Any] | None:
    """Return the distance, 1.00 at the edge of what the model accepts, and the reference cases that are nearest."""
    if familiarity is None:
        return None
    return {"distance": familiarity.distance, "nearest": [asdict(one) for one in familiarity.nearest]}
