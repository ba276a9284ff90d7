"""Scores, maps and requests that tests vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports import typeset
from structured_reports.port import Equipment, Refusal, ReportRequest

Maker = Callable[..., ReportRequest]


@dataclass(frozen=True)
class Written:
    """Words on a picture.

    Attributes
    ----------
    box
        left, top, right, bottom of what they fill, in pixels from the middle of the lower edge: there lies what is
        written on a part of a picture.
    """

    words: str
    size: int
    colour: tuple[int, int, int]
    box: tuple[int, int, int, int]


@pytest.fixture
def score_of() -> Callable[..., Score]:
    """Return a function that makes a score, with or without a map."""

    def make(value: float, threshold: float = 0.5, saliency: NDArray | None = None, name: str = "pneumonia") -> Score:
        code, site = Code("233604007", "SCT", name.capitalize()[:64]), Code("39607008", "SCT", "Lung")
        return Score(Finding(name, code, site, threshold), value, saliency)

    return make


@pytest.fixture
def square() -> NDArray[np.float32]:
    """Return a map, 200 rows by 300 columns, with a square of 40 from column 200 and row 30."""
    saliency = np.zeros((200, 300), np.float32)
    saliency[30:70, 200:240] = 1.0
    return saliency


@pytest.fixture
def header() -> Dataset:
    """Return the least that a film must say."""
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "2.25.1"
    found.StudyInstanceUID, found.SeriesInstanceUID = "2.25.2", "2.25.3"
    found.PatientID, found.PatientName = "P1", "Doe^Jane"
    return found


@pytest.fixture
def request_of(header: Dataset) -> Maker:
    """Return a function that makes the request of some scores, or of a refusal."""

    def make(*scores: Score, **changes: object) -> ReportRequest:
        card = ModelCard("test-model", "1.0", "ab" * 32, tuple(s.finding for s in scores), "Chest films only.")
        outcome = Prediction(card, scores) if scores else Refusal("NOT_A_CHEST_FILM", "no chest film")
        shapes = [s.saliency.shape for s in scores if s.saliency is not None]
        display = np.full(shapes[0] if shapes else (200, 300), 128, np.uint8) if scores else None
        equipment = Equipment("Maker", "Node", "0.1", "SN", "STATION", "2.25.99")
        fixed = {"source": header, "display": display, "outcome": outcome, "equipment": equipment}
        return ReportRequest(**{**fixed, "made_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **changes})

    return make


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Written]:
    """Return a list to which all words are added as they are drawn."""
    found: list[Written] = []
    real = typeset._draw

    def draw(canvas, words, at, size, colour, *, anchor, bold=False) -> None:
        left, top, right, bottom = canvas.textbbox(at, words, font=typeset.font(size), anchor=anchor)
        middle, rows = canvas.im.size[0] // 2, canvas.im.size[1]
        box = (round(left) - middle, round(top) - rows, round(right) - middle, round(bottom) - rows)
        found.append(Written(words, size, colour, box))
        real(canvas, words, at, size, colour, anchor=anchor, bold=bold)

    monkeypatch.setattr(typeset, "_draw", draw)
    return found


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], NDArray]], NDArray]:
    """Return a function that makes a picture without its words."""

    def make(picture: Callable[[], NDArray]) -> NDArray:
        with monkeypatch.context() as patch:
            patch.setattr(typeset, "_draw", lambda *args, **options: None)
            return picture()

    return make
