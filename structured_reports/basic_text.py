"""The report in plain words, for systems that store no other Structured Report (PS3.3 A.35.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from highdicom import sr
from pydicom.uid import BasicTextSRStorage

from inference.types import Prediction
from structured_reports import codes
from structured_reports.content import (
    CONCEPT_MODIFIER,
    CONTAINS,
    coded,
    concept,
    container,
    observer,
    separate,
    words,
)
from structured_reports.envelope import HEATMAP, REPORT
from structured_reports.forms import BASIC_TEXT
from structured_reports.header import read_header
from structured_reports.image_library import entry
from structured_reports.part10 import sealed
from structured_reports.port import Refusal, ReportRequest, ResultObject
from structured_reports.report import document, not_performed, text_title
from structured_reports.text import conclusion, model_line, score_line, sentence


def basic_text(request: ReportRequest, built: Mapping[str, ResultObject]) -> ResultObject:
    """Return the report as text and references: this SOP class knows neither numbers nor regions."""
    header = read_header(request.source)
    map_object = built.get(HEATMAP.kind)
    root = container(text_title(request), _items(request, map_object), relationship=None)
    root.ContentSequence.append(entry(header))
    separate(root)
    dataset = document(request, header, root, map_object)
    dataset.SOPClassUID = BasicTextSRStorage
    made = sealed(REPORT.kind, dataset, header)
    return replace(made, form=BASIC_TEXT, alternative_to=built[REPORT.kind].uid)


def _items(request: ReportRequest, map_object: ResultObject | None) -> list[sr.ContentItem]:
    outcome = request.outcome
    said = not_performed(outcome) if isinstance(outcome, Refusal) else _of_prediction(outcome)
    items = [
        coded(codes.LANGUAGE, codes.ENGLISH, CONCEPT_MODIFIER),
        *observer(request.equipment),
        words(codes.COMMENT, conclusion(request)),
        *said,
    ]
    if map_object is not None:
        shown = (concept(codes.VISUAL_EXPLANATION), map_object.sop_class_uid, map_object.uid)
        items.append(sr.ImageContentItem(*shown, relationship_type=CONTAINS))
    return items


def _of_prediction(prediction: Prediction) -> list[sr.ContentItem]:
    card = prediction.card
    findings = [words(codes.FINDING, score_line(score)) for score in prediction.scores]
    return [
        container(codes.FINDINGS, findings),
        words(codes.ALGORITHM, f"{model_line(card)}, {card.manufacturer}, weights sha256 {card.digest}"),
        words(codes.COMMENT, sentence(card.intended_use)),
    ]
