"""`dicom-node rebuild`: makes the objects of a study anew from their record, and compares the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dicom_node.errors import ModelUnavailableError, NothingToDoError, StartError
from dicom_node.films import Source
from dicom_node.former import Edition, reference_of
from dicom_node.ledger import generations, lifecycle, views
from dicom_node.ledger.generations import RecordedResult, StoredInstance
from dicom_node.lifecycle import known_study, rejection_note
from dicom_node.node import Node
from dicom_node.pipeline import Pipeline, Reading, StudyResult
from dicom_node.recipe import changes, sentence, settings_of
from dicom_node.study import study_key
from structured_reports.fhir.withdrawal import withdrawn_bundle
from structured_reports.port import Equipment, Refusal, ResultObject

Row = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """One recorded object beside the one that was made anew.

    Attributes
    ----------
    fault
        What differs; empty where every byte is the same.
    """

    generation: int
    model: str
    kind: str
    form: str
    uid: str
    fault: str


def rebuild(node: Node, wanted: str) -> list[Compared]:
    """Compare every recorded object of a study with what its record and the received instances give.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived.
    NothingToDoError
        No result of it was recorded with what it was made with.
    """
    with node.database().connect() as connection:
        uid = known_study(connection, wanted)
        rows = [one for one in views.generations_of(connection, uid) if one["made_with"] and one["results"]]
        read = {one["id"]: generations.instances(connection, one["made_with"].get("instances", ())) for one in rows}
    if not rows:
        raise NothingToDoError(f"study {study_key(uid)}: no result was recorded with what it was made with")
    return [one for row in rows for one in _generation(node, row, read[row["id"]])]


Key = tuple[str, str, str]
"""Model, kind, form."""


def _generation(node: Node, row: Row, read: Sequence[StoredInstance]) -> list[Compared]:
    """Compare the objects of a generation with what is made of its record, and say what else differs since."""
    made: dict[Key, ResultObject] = {}
    try:
        objects, found = _withdrawal(node, row) if row["cause"] == lifecycle.WITHDRAWAL else _results(node, row, read)
        made = {(model, one.kind, one.form): one for model, one in objects}
    except (OSError, StartError, ModelUnavailableError) as error:
        found = [f"nothing can be made: {error}"]
    return [_compared(node.results.root, row["number"], one, made, found) for one in row["results"]]


def _results(node: Node, row: Row, read: Sequence[StoredInstance]) -> tuple[list[tuple[str, ResultObject]], list[str]]:
    edition = Edition.from_json(row["made_with"])
    then = Node(settings_of(edition.made_with, node.settings))
    with then.pipeline(edition.made_with["device"], node.identity()) as pipeline:
        equipment, forms = Equipment(**edition.made_with["equipment"]), edition.made_with["forms"]
        study = _read(node, replace(pipeline, equipment=equipment, forms=forms), row, read, edition)
        found = list(changes(edition.made_with, pipeline.roster))
    objects = [("", one) for one in study.objects]
    objects += [(reading.model, one) for reading in study.readings for one in reading.objects]
    objects += edition.no_longer_given(node.results.root, study.given, _refusals(row))
    return objects, found


def _read(node: Node, pipeline: Pipeline, row: Row, read: Sequence[StoredInstance], edition: Edition) -> StudyResult:
    sources = [
        Source(one.sha256, node.spool.path(one.path), one.calling_ae, one.called_ae, one.series_uid) for one in read
    ]
    job: dict[str, Any] = {"made_at": edition.made_at, "generation": row["number"], "former": edition.former}
    if row["reason_code"]:
        refused = tuple(Reading(model, why, sources[0]) for model, why in _refusals(row).items() if model and why)
        return pipeline.refuse(sources[0], Refusal(row["reason_code"], row["reason"]), readings=refused, **job)
    return pipeline.read(sources, **job)


def _refusals(row: Row) -> dict[str, Refusal | None]:
    """Return why the models gave no result then, and under an empty name why the study has none."""
    said = [*row["readings"], *([row | {"model": ""}] if row["reason_code"] else [])]
    return {one["model"]: Refusal(one["reason_code"], one["reason"]) if one["reason_code"] else None for one in said}


def _withdrawal(node: Node, row: Row) -> tuple[list[tuple[str, ResultObject]], list[str]]:
    made_with, root = row["made_with"], node.results.root
    objects = []
    if made_with["rejected"]:
        rejected = [reference_of(root, RecordedResult(**one)) for one in made_with["rejected"]]
        note = rejection_note(node.spool.path(made_with["source"]), made_with, row["number"], rejected)
        objects.append((row["withdrawn_model"], note))
    at = Edition.time_of(made_with)
    for model, path in made_with["bundles"].items():
        objects.append((model, withdrawn_bundle((root / path).read_bytes(), made_with["words"], at)))
    return objects, list(changes(made_with, None))


def _compared(root: Path, number: int, row: Row, made: Mapping[Key, ResultObject], found: Sequence[str]) -> Compared:
    fault = _fault(root, row, made)
    fault += sentence(found) if fault else ""
    return Compared(number, row["model"], row["kind"], row["form"], row["uid"], fault)


def _fault(root: Path, row: Row, made: Mapping[Key, ResultObject]) -> str:
    path = root / row["path"]
    if not path.exists():
        return f"the recorded file {row['path']} is lost"
    if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
        return f"the recorded file {row['path']} has changed"
    again = made.get((row["model"], row["kind"], row["form"]))
    if again is None:
        return f"no such object is made now: {row['model'] or 'the refusal'} gives none"
    if again.uid != row["uid"]:
        return f"another content is made now, with the UID {again.uid}"
    return "" if hashlib.sha256(again.content).hexdigest() == row["sha256"] else "other bytes are made now"


def faults_of(compared: Sequence[Compared]) -> list[Compared]:
    """Return those that differ."""
    return [one for one in compared if one.fault]
