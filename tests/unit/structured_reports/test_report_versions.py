"""Which former result a result replaces, and what becomes of the report at the EHR."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from structured_reports.fhir.bundle import FhirBundle
from structured_reports.fhir.lint import faults
from structured_reports.fhir.versions import OWN_STATUSES, former_report
from structured_reports.fhir.withdrawal import withdrawn_bundle
from structured_reports.lifecycle import Cause, FormerResult, Reference, continued


def former(model: str) -> FormerResult:
    return FormerResult(model, Cause.RERUN, (Reference("1", "2", "3", f"4.{len(model)}"),))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (["a 1"], ["a 2"], {"a 2": "a 1"}),
        (["a 1", "b 1"], ["b 1", "a 1"], {"a 1": "a 1", "b 1": "b 1"}),
        ([""], ["a 1", "b 1"], {"a 1": ""}),
        (["a 1", "b 1"], [""], {"": "a 1"}),
        (["a 1"], ["b 1"], {}),
        (["a 1", ""], ["a 1"], {"a 1": "a 1"}),
        ([], ["a 1"], {}),
        (["a 1"], [], {}),
    ],
)
def test_a_model_continues_its_own_result_and_a_refusal_whatever_there_was(before, now, expected) -> None:
    pairs = continued([former(model) for model in before], now)

    assert expected == {model: one.model for model, one in pairs.items()}


def test_a_former_result_survives_the_record() -> None:
    one = replace(former("a 1"), cause=Cause.LATE_IMAGES)

    assert one == FormerResult.from_json(json.loads(json.dumps(one.to_json())))


@pytest.fixture
def versions(request_of):
    """Return a function that gives the bundles of a result and of the one after it."""

    def make(before, now, cause, **changes):
        first_request = request_of(*before)
        first = FhirBundle()(first_request, {}).content
        replaced = FormerResult("test-model 1.0", cause, (), former_report(first))
        later = replace(
            request_of(*now),
            former=replaced,
            generation=2,
            made_at=first_request.made_at + timedelta(days=1),
            **changes,
        )
        return json.loads(first), json.loads(FhirBundle()(later, {}).content)

    return make


def entries(bundle, kind):
    return [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def status(bundle) -> str:
    return entries(bundle, "DiagnosticReport")[0]["resource"]["status"]


def test_late_images_amend_even_where_the_score_stays(versions, score_of) -> None:
    assert "amended" == status(versions([score_of(0.9)], [score_of(0.9)], Cause.LATE_IMAGES)[1])


def test_a_rerun_with_another_score_corrects(versions, score_of) -> None:
    assert "corrected" == status(versions([score_of(0.9)], [score_of(0.8)], Cause.RERUN)[1])


def test_a_rerun_that_says_the_same_keeps_the_status(versions, score_of) -> None:
    assert "preliminary" == status(versions([score_of(0.9)], [score_of(0.9)], Cause.RERUN)[1])


def test_a_refusal_after_a_result_is_cancelled(versions, score_of) -> None:
    assert "cancelled" == status(versions([score_of(0.9)], [], Cause.RERUN)[1])


def test_a_later_version_has_the_identifiers_of_the_first(versions, score_of) -> None:
    first, second = versions([score_of(0.9)], [score_of(0.8)], Cause.RERUN)

    for kind in ("DiagnosticReport", "Observation"):
        (before,), (after,) = entries(first, kind), entries(second, kind)
        assert before["resource"]["identifier"] == after["resource"]["identifier"]


def test_an_update_finds_only_what_has_a_status_of_this_node(versions, score_of) -> None:
    (entry,) = entries(versions([score_of(0.9)], [score_of(0.8)], Cause.RERUN)[1], "DiagnosticReport")

    assert "PUT" == entry["request"]["method"]
    assert entry["request"]["url"].endswith(f"&status={','.join(OWN_STATUSES)}")
    assert "final" not in OWN_STATUSES


def test_a_finding_that_is_no_longer_given_is_entered_in_error(versions, score_of) -> None:
    _, second = versions([score_of(0.9), score_of(0.2, name="effusion")], [score_of(0.9)], Cause.RERUN)

    said = {
        entry["resource"]["identifier"][0]["value"].rpartition("/")[2]: entry["resource"]["status"]
        for entry in entries(second, "Observation")
    }
    assert {"pneumonia": "corrected", "effusion": "entered-in-error"} == said
    assert 1 == len(entries(second, "DiagnosticReport")[0]["resource"]["result"])


def test_a_withdrawn_bundle_is_valid_and_says_nothing_of_the_result(versions, score_of) -> None:
    first, _ = versions([score_of(0.9)], [score_of(0.9)], Cause.RERUN)
    at = datetime(2026, 1, 3, tzinfo=UTC)

    withdrawn = json.loads(withdrawn_bundle(json.dumps(first).encode(), "It was <wrong>.", at).content)

    (report,) = entries(withdrawn, "DiagnosticReport")
    assert [] == faults(withdrawn)
    assert {"entered-in-error"} == {status(withdrawn), entries(withdrawn, "Observation")[0]["resource"]["status"]}
    assert "&lt;wrong&gt;" in report["resource"]["text"]["div"]
    assert not {"conclusionCode", "presentedForm"} & set(report["resource"])


def test_a_bundle_is_named_by_its_content(request_of, score_of) -> None:
    one, other = (FhirBundle()(request_of(score_of(value)), {}) for value in (0.9, 0.8))

    assert one.uid != other.uid


@pytest.mark.parametrize(
    "request_of_entry",
    [
        {"method": "PUT", "url": "DiagnosticReport?identifier=a"},
        {"method": "PUT", "url": "DiagnosticReport/1"},
        {"method": "PUT", "url": "DiagnosticReport?status=final"},
    ],
)
def test_the_lint_refuses_an_update_that_could_meet_a_signed_report(request_of_entry, versions, score_of) -> None:
    bundle, _ = versions([score_of(0.9)], [score_of(0.9)], Cause.RERUN)
    entries(bundle, "DiagnosticReport")[0]["request"] = request_of_entry

    assert any("does not own" in fault for fault in faults(bundle))
