"""What a model says that cannot be a result: told as such, and no other model's result is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node import pipeline as under_test
from dicom_node.films import Answered, Source
from dicom_node.pipeline import Pipeline, StudyResult
from inference.types import Prediction
from structured_reports.port import Refusal
from tests.conftest import as_study
from tests.unit.dicom_node.test_roster import copied, pipeline, table


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("models")
    with pipeline(folder, table(copied(folder, "bad")) + table(copied(folder, "good"))) as made:
        yield made


@pytest.fixture
def source(chest_film: Path, tmp_path: Path) -> Source:
    return Source("a" * 64, as_study(chest_film, tmp_path / "film.dcm", 1))


def with_scores(value: float) -> Callable[[Answered], Answered]:
    return lambda one: replace(one, answer=replace(one.answer, scores=np.full_like(one.answer.scores, value)))


def with_map(value: float) -> Callable[[Answered], Answered]:
    return lambda one: replace(one, answer=replace(one.answer, cams=np.full_like(one.answer.cams, value)))


def with_film(shape: tuple[int, ...]) -> Callable[[Answered], Answered]:
    return lambda one: replace(one, film=replace(one.film, display=np.zeros(shape, np.uint8)))


def read(running: Pipeline, source: Source, spoil: Callable[[Answered], Answered]) -> StudyResult:
    """Read a film of which the first model's answer is spoiled on its way into the results."""
    opinions = running.roster.opinions

    class Spoiling:
        """The roster, with another answer of the first model."""

        label = staticmethod(running.roster.label)

        @staticmethod
        def opinions(sources: list[Source]) -> Any:
            for slot, one, outcome in opinions(sources):
                assert isinstance(outcome, Answered)
                yield slot, one, spoil(outcome) if slot.name.startswith("bad") else outcome

    spoiled = replace(running, roster=Spoiling())  # type: ignore[arg-type]
    return spoiled.read([source], made_at=datetime(2026, 1, 2, tzinfo=UTC), generation=1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (with_scores(np.nan), "score of pneumonia: nan is not in [0, 1]"),
        (with_scores(1.5), "score of pneumonia: 1.5 is not in [0, 1]"),
        (with_map(np.nan), "saliency of pneumonia: values from nan to nan"),
        (with_film((7, 9)), "display: shape (7, 9)"),
    ],
)
def test_an_answer_that_cannot_be_a_result_is_refused_by_the_name_of_the_field(
    running: Pipeline, source: Source, spoil: Callable[[Answered], Answered], said: str
) -> None:
    study = read(running, source, spoil)

    bad, good = study.readings
    assert isinstance(bad.outcome, Refusal)
    assert ("failed", True) == (bad.outcome.code, said in bad.outcome.reason), bad.outcome
    assert bad.outcome.reason.startswith("no prediction of bad 1.0.0 can be made (ValueError: ")
    assert isinstance(good.outcome, Prediction)
    assert {"summary", "report", "fhir"} <= {one.kind for one in good.objects}
    assert study.refusal is None


def test_what_a_library_raises_while_a_result_is_made_costs_that_result_alone(
    running: Pipeline, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = under_test.build_results

    def failing(request: Any, *rest: Any, **more: Any) -> Any:
        if request.outcome.card.name == "bad":
            raise KeyError("DOE^JANE")
        return build(request, *rest, **more)

    monkeypatch.setattr(under_test, "build_results", failing)
    study = read(running, source, lambda one: one)

    bad, good = study.readings
    assert isinstance(bad.outcome, Refusal)
    assert "unexpected KeyError" in bad.outcome.reason
    assert "DOE" not in bad.outcome.reason
    assert good.objects


def test_a_study_whose_every_answer_is_bad_gets_a_result_that_says_so(
    running: Pipeline, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test.Answered, "prediction", property(lambda _: _not_finite()))

    study = read(running, source, lambda one: one)

    assert study.refusal is not None
    assert "failed" == study.refusal.code
    assert {"summary", "report", "fhir"} == {one.kind for one in study.objects if not one.alternative_to}


def _not_finite() -> None:
    raise ValueError("score of pneumonia: nan is not in [0, 1]")
