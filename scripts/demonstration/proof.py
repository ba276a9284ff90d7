"""Checks what arrived against what was sent, with eyes of its own: nothing here trusts the node's word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import pydicom
from studies import DemoStudy

IDENTITY = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "SpecificCharacterSet")


@dataclass(frozen=True)
class Outcome:
    """What became of a study.

    Attributes
    ----------
    faults
        What is not as it must be; empty where all is well.
    seconds
        From the last C-STORE response to the last acceptance.
    """

    study: DemoStudy
    said: str
    objects: tuple[str, ...]
    accepted: tuple[str, ...]
    seconds: float
    faults: tuple[str, ...]


def outcome(
    study: DemoStudy, told: dict[str, Any], received: list[Path], reports: list[str], sent_at: float
) -> Outcome:
    """Return what became of a study.

    Parameters
    ----------
    told
        What the node tells of it (`dicom-node explain --json`).
    received
        The files that the PACS has beside the study itself.
    reports
        Conclusions of the DiagnosticReports that the FHIR server has of it.
    """
    generation = told["generations"][-1]
    accepted_at = [one["accepted_at"] or 0.0 for one in generation["deliveries"]]
    return Outcome(
        study=study,
        said=_said(generation),
        objects=tuple(sorted(_kind(file) for file in received)) + ("FHIR report",) * len(reports),
        accepted=tuple(one["destination"] for one in generation["deliveries"] if one["state"] == "delivered"),
        seconds=max(accepted_at, default=0.0) - sent_at,
        faults=tuple(_faults(study, told, received, reports)),
    )


def _faults(study: DemoStudy, told: dict[str, Any], received: list[Path], reports: list[str]) -> list[str]:
    generation = told["generations"][-1]
    faults = []
    if len(told["generations"]) != 1:
        faults.append(f"{len(told['generations'])} results of one study")
    if (generation["state"] == "reported") != (study.expected == "read"):
        faults.append(f"expected to be {study.expected}, was {generation['state']}")
    arrived = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID): file for file in received}
    faults += _arrival_faults(generation, set(arrived))
    source = pydicom.dcmread(study.file, stop_before_pixels=True)
    for file in arrived.values():
        faults += _identity_faults(source, file)
    if len(reports) != 1:
        faults.append(f"{len(reports)} DiagnosticReports")
    faults += _score_faults(generation, received)
    return faults


def _arrival_faults(generation: dict[str, Any], arrived: set[str]) -> list[str]:
    """A result is made in several forms, alternatives to each other; one of them comes, and nothing else."""
    forms: dict[str, set[str]] = {}
    for one in (one for one in generation["results"] if one["media_type"] == "application/dicom"):
        forms.setdefault(one["alternative_to"] or one["uid"], set()).add(one["uid"])
    faults = [
        f"{len(form & arrived)} forms of one result arrived" for form in forms.values() if len(form & arrived) != 1
    ]
    if unknown := arrived - set().union(*forms.values()):
        faults.append(f"{len(unknown)} objects arrived that were not made")
    return faults


def _identity_faults(source: pydicom.Dataset, file: Path) -> list[str]:
    result = pydicom.dcmread(file, stop_before_pixels=True)
    return [f"{_kind(file)}: {keyword} differs" for keyword in IDENTITY if result.get(keyword) != source.get(keyword)]


def _score_faults(generation: dict[str, Any], received: list[Path]) -> list[str]:
    """Read the score back from the SR, with highdicom."""
    reports = [file for file in received if pydicom.dcmread(file, stop_before_pixels=True).Modality == "SR"]
    if len(reports) != 1:
        return [f"{len(reports)} structured reports"]
    if generation["state"] != "reported":
        return []
    document = highdicom.sr.srread(reports[0])
    numbers = [
        float(one.MeasuredValueSequence[0].NumericValue) for one in _items(document) if "MeasuredValueSequence" in one
    ]
    score = 100 * next(iter(_scores(generation).values()))["score"]
    near = any(abs(number - score) < 0.06 or abs(100 * number - score) < 0.06 for number in numbers)
    return [] if near else ["the structured report says another score than the node"]


def _items(item: pydicom.Dataset) -> list[pydicom.Dataset]:
    children = item.get("ContentSequence") or []
    return [item, *(one for child in children for one in _items(child))]


def _kind(file: Path) -> str:
    header = pydicom.dcmread(file, stop_before_pixels=True)
    return "SR" if header.Modality == "SR" else f"SC {header.SeriesDescription.removeprefix('AI ').split()[0]}"


def _said(generation: dict[str, Any]) -> str:
    if generation["reason"]:
        return f"not performed: {generation['reason']}"
    return ", ".join(
        f"{name} {100 * one['score']:.0f} %, {_side(one)} {100 * one['threshold']:.0f} %"
        for name, one in _scores(generation).items()
    )


def _scores(generation: dict[str, Any]) -> dict[str, Any]:
    (reading,) = generation["readings"]
    return reading["scores"]


def _side(score: dict[str, Any]) -> str:
    return "above the threshold of" if score["above"] else "below the threshold of"
