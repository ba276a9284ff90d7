"""The order of pushes and what an error carries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dicom_node.deliver import Acceptance, DeliveryError, DestinationUnavailableError, RejectedError
from dicom_node.deliver.each import each
from structured_reports.port import DICOM, ResultObject

RESULTS = [ResultObject(kind, f"uid-{kind}", DICOM, b"") for kind in ("summary", "heatmap", "report")]


def pushing(faults: dict[str, DeliveryError]) -> Callable[[ResultObject], Acceptance]:
    def push(result: ResultObject) -> Acceptance:
        if result.kind in faults:
            raise faults[result.kind]
        return Acceptance(result.kind, result.uid, "taken")

    return push


def kinds(acceptances: tuple[Acceptance, ...]) -> list[str]:
    return [acceptance.kind for acceptance in acceptances]


def test_acceptances_come_in_the_order_of_the_results() -> None:
    assert kinds(each(RESULTS, pushing({}))) == ["summary", "heatmap", "report"]


def test_a_refusal_in_the_middle_holds_back_nothing_after_it() -> None:
    with pytest.raises(RejectedError) as caught:
        each(RESULTS, pushing({"heatmap": RejectedError("no")}))

    assert kinds(caught.value.accepted) == ["summary", "report"]


def test_every_refusal_is_named() -> None:
    with pytest.raises(RejectedError, match="no summary; no report"):
        each(RESULTS, pushing({kind: RejectedError(f"no {kind}") for kind in ("summary", "report")}))


def test_an_unavailable_destination_is_asked_nothing_more() -> None:
    with pytest.raises(DestinationUnavailableError) as caught:
        each(RESULTS, pushing({"heatmap": DestinationUnavailableError("down")}))

    assert kinds(caught.value.accepted) == ["summary"]


def test_a_result_that_may_be_taken_later_outweighs_one_that_was_refused() -> None:
    faults = {"summary": RejectedError("no"), "report": DestinationUnavailableError("down")}
    with pytest.raises(DestinationUnavailableError):
        each(RESULTS, pushing(faults))
