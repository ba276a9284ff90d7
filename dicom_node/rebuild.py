"""`dicom-node rebuild`: makes the objects of a study anew from their record, and compares the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dicom_node.errors import NothingToDoError
from dicom_node.films import Source
from dicom_node.former import Edition, reference_of
from dicom_node.ledger import generations, lifecycle, views
from dicom_node.ledger.generations import Generation, RecordedResult
from dicom_node.lifecycle import known_study, rejection_note
from dicom_node.node import Node
from dicom_node.pipeline import Pipeline, StudyResult
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
        loaded = {one["id"]: generations.load(connection, one["id"]) for one in rows}
    if not rows:
        raise NothingToDoError(f"study {study_key(uid)}: no result was recorded with what it was made with")
    compared: list[Compared] = []
    with node.pipeline(node.settings.work.devices[0], node.identity()) as pipeline:
        for row in rows:
            made = dict(_made(node, pipeline, row, loaded[row["id"]]))
            compared += [_compared(node.results.root, row["number"], one, made) for one in row["results"]]
    return compared


Key = tuple[str, str, str]
"""Model, kind, form."""


def _made(node: Node, pipeline: Pipeline, row: Row, generation: Generation) -> Iterator[tuple[Key, ResultObject]]:
    if row["cause"] == lifecycle.WITHDRAWAL:
        objects = _withdrawal(node, row, generation)
    else:
        objects = _results(node, pipeline, row, generation)
    for model, one in objects:
        yield (model, one.kind, one.form), one


def _results(node: Node, pipeline: Pipeline, row: Row, generation: Generation) -> Iterator[tuple[str, ResultObject]]:
    edition = Edition.from_json(row["made_with"])
    study = _read(node, _as_then(pipeline, edition), row, generation, edition)
    objects = [("", one) for one in study.objects]
    objects += [(reading.model, one) for reading in study.readings for one in reading.objects]
    yield from objects
    yield from edition.no_longer_given(node.results.root, study.given, study.refusals)


def _read(node: Node, pipeline: Pipeline, row: Row, generation: Generation, edition: Edition) -> StudyResult:
    sources = [
        Source(one.sha256, node.spool.path(one.path), one.calling_ae, one.called_ae, one.series_uid)
        for one in generation.instances
    ]
    job: dict[str, Any] = {"made_at": edition.made_at, "generation": row["number"], "former": edition.former}
    if row["reason_code"] == generations.FAILED:
        return pipeline.refuse(sources[0], Refusal(generations.FAILED, row["reason"]), **job)
    return pipeline.read(sources, **job)


def _as_then(pipeline: Pipeline, edition: Edition) -> Pipeline:
    """Return the pipeline with the equipment and the labels of the record."""
    made_with = edition.made_with
    report = pipeline.settings.report
    fhir = report.fhir.model_copy(update=made_with["fhir"])
    labels = {"notice": made_with["notice"], "not_performed": made_with["not_performed"], "fhir": fhir}
    settings = pipeline.settings.model_copy(update={"report": report.model_copy(update=labels)})
    return replace(pipeline, equipment=Equipment(**made_with["equipment"]), settings=settings)


def _withdrawal(node: Node, row: Row, generation: Generation) -> Iterator[tuple[str, ResultObject]]:
    made_with = row["made_with"]
    root = node.results.root
    if made_with["rejected"]:
        rejected = [reference_of(root, RecordedResult(**one)) for one in made_with["rejected"]]
        source = node.spool.path(generation.instances[0].path)
        yield row["withdrawn_model"], rejection_note(source, made_with, row["number"], rejected)
    at = Edition.time_of(made_with)
    for model, path in made_with["bundles"].items():
        yield model, withdrawn_bundle((root / path).read_bytes(), made_with["words"], at)


def _compared(root: Path, number: int, row: Row, made: Mapping[Key, ResultObject]) -> Compared:
    return Compared(number, row["model"], row["kind"], row["form"], row["uid"], _fault(root, row, made))


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
