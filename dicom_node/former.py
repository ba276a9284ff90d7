"""What was recorded of a study before, as a later version of its results refers to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pydicom
from pydicom.errors import InvalidDicomError

from dicom_node.ledger.generations import FAILED, RecordedResult
from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.versions import WITHDRAWN, former_report
from structured_reports.fhir.withdrawal import withdrawn_bundle
from structured_reports.lifecycle import Cause, FormerReport, FormerResult, Reference, continued, model_name
from structured_reports.port import FHIR_JSON, Refusal, ResultObject

_DOCUMENT = "report"
Found = TypeVar("Found")

_NO_LONGER = "Reading the study again gave no result of this model."


@dataclass(frozen=True)
class Edition:
    """What the results of a generation are made with, beside the instances and the models.

    Attributes
    ----------
    made_at
        Time of the job with time zone.
    former
        The results that are replaced.
    bundles
        Model to the recorded FHIR bundle of its former result, relative to the folder of result objects.
    made_with
        All else: see `recipe`.
    instances
        Keys of the instances that were read, in the ledger.
    """

    made_at: datetime
    former: tuple[FormerResult, ...]
    bundles: Mapping[str, str]
    made_with: Mapping[str, Any]
    instances: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for the ledger."""
        former = [one.to_json() for one in self.former]
        return {
            "made_at": self.made_at.isoformat(),
            "former": former,
            "bundles": dict(self.bundles),
            "instances": list(self.instances),
            **self.made_with,
        }

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> Edition:
        """Return what `to_json` wrote."""
        former = tuple(FormerResult.from_json(one) for one in said["former"])
        own = ("made_at", "former", "bundles", "instances")
        rest = {key: value for key, value in said.items() if key not in own}
        return Edition(Edition.time_of(said), former, said["bundles"], rest, tuple(said["instances"]))

    @staticmethod
    def time_of(said: Mapping[str, Any]) -> datetime:
        """Return the time of the job, from a record."""
        return datetime.fromisoformat(said["made_at"])

    def no_longer_given(
        self, root: Path, models: Collection[str], refusals: Mapping[str, Refusal | None]
    ) -> Iterator[tuple[str, ResultObject]]:
        """Yield, by model, what takes back the reports of former results that no new one replaces.

        Parameters
        ----------
        root
            Of the folder of result objects.
        models
            Those that gave a result now; none takes back nothing.
        refusals
            As `replaceable` takes them.
        """
        former = replaceable(self.former, refusals)
        kept = continued(former, list(models)).values()
        for one in former if models else ():
            if one not in kept and one.model in self.bundles:
                yield (
                    one.model,
                    withdrawn_bundle((root / self.bundles[one.model]).read_bytes(), _NO_LONGER, self.made_at),
                )


def former_of(root: Path, recorded: Mapping[str, Sequence[RecordedResult]], cause: Cause) -> tuple[FormerResult, ...]:
    """Return one former result a model.

    What cannot be read any more is left out: a file that is lost must not keep a study from being read.

    Parameters
    ----------
    root
        Of the folder of result objects.
    recorded
        By model; of a report the forms that somebody has (`ledger.versions.former_results`).
    """
    former = (_former(root, model, results, cause) for model, results in recorded.items())
    return tuple(one for one in former if one.documents or one.report)


def replaceable(former: Sequence[FormerResult], refusals: Mapping[str, Refusal | None]) -> tuple[FormerResult, ...]:
    """Return the former results that a reading may replace or take back: none of a model that the node failed to ask.

    Parameters
    ----------
    refusals
        Name of each model that was asked to why it gave no result, None where it gave one; under an empty name why
        the study has none.

    Notes
    -----
    The name of a model that cannot be loaded is not known for sure. Where any failed, only those count that spoke.
    """
    if not any(one is not None and one.code == FAILED for one in refusals.values()):
        return tuple(former)
    spoke = {model_name(name) for name, one in refusals.items() if one is None or one.code != FAILED} | {""}
    return tuple(one for one in former if model_name(one.model) in spoke)


def bundles_of(recorded: Mapping[str, Sequence[RecordedResult]]) -> dict[str, str]:
    """Return model to the path of its recorded FHIR bundle."""
    return {model: one.path for model, results in recorded.items() for one in results if one.media_type == FHIR_JSON}


def is_of(model: str, names: Collection[str]) -> bool:
    """Return whether a model, by name and version, is one of those that are named with or without a version."""
    return bool(model) and (model in names or model_name(model) in names)


def reference_of(root: Path, recorded: RecordedResult) -> Reference:
    """Return where a recorded DICOM object is in its study."""
    keywords = ["StudyInstanceUID", "SeriesInstanceUID"]
    header = pydicom.dcmread(root / recorded.path, stop_before_pixels=True, specific_tags=keywords)
    return Reference(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), recorded.sop_class_uid, recorded.uid)


def _former(root: Path, model: str, recorded: Sequence[RecordedResult], cause: Cause) -> FormerResult:
    documents = (_readable(reference_of, root, one) for one in recorded if one.kind == _DOCUMENT)
    bundles = [one for one in recorded if one.media_type == FHIR_JSON]
    return FormerResult(
        model=model,
        cause=cause,
        documents=tuple(one for one in documents if one is not None),
        report=_readable(_report, root, bundles[0]) if bundles else None,
    )


def _readable(read: Callable[[Path, RecordedResult], Found], root: Path, recorded: RecordedResult) -> Found | None:
    """Return what a recorded file holds; None where it is lost or damaged."""
    try:
        return read(root, recorded)
    except (FileNotFoundError, InvalidDicomError, AttributeError, ValueError, KeyError, FhirInvalidError):
        return None


def _report(root: Path, bundle: RecordedResult) -> FormerReport | None:
    """Return the report of a bundle; None where the bundle itself takes one back."""
    content = (root / bundle.path).read_bytes()
    withdrawn = any(
        entry["resource"]["resourceType"] == "DiagnosticReport" and entry["resource"]["status"] == WITHDRAWN
        for entry in json.loads(content).get("entry", ())
    )
    return None if withdrawn else former_report(content)
