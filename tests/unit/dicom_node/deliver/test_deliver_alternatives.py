"""Which alternative is sent, and when a page may stand for a report."""

from __future__ import annotations

import pytest

from dicom_node.deliver import Acceptance, RejectedError
from dicom_node.deliver.alternatives import first_taken, grouped, said_by_a_page
from dicom_node.deliver.each import each
from structured_reports.port import DICOM, ResultObject

ORDER = ("comprehensive", "enhanced", "")


def one(kind: str, uid: str, form: str = "", alternative_to: str = "") -> ResultObject:
    return ResultObject(kind, uid, DICOM, b"", form=form, alternative_to=alternative_to)


REPORT = (one("report", "1", "comprehensive"), one("report", "2", "enhanced", "1"))


def refusing(*refused: str):
    def push(result: ResultObject) -> Acceptance:
        if result.uid in refused:
            raise RejectedError(f"no {result.uid}")
        return Acceptance(result.kind, result.uid, "taken")

    return push


def deliver(results, push):
    groups = grouped(results, ORDER)
    try:
        return each(groups, lambda group: first_taken(group, push))
    except RejectedError as error:
        return said_by_a_page(error, groups)


def test_alternatives_are_tried_in_the_order_of_the_destination() -> None:
    (group,) = grouped(REPORT[::-1], ("enhanced", "comprehensive"))

    assert ["enhanced", "comprehensive"] == [result.form for result in group]


def test_a_form_that_the_destination_is_not_to_be_sent_is_left_out() -> None:
    (group,) = grouped(REPORT, ("enhanced",))

    assert ["enhanced"] == [result.form for result in group]


def test_results_of_two_models_are_no_alternatives() -> None:
    others = (one("report", "3", "comprehensive"), one("report", "4", "enhanced", "3"))

    assert ["1", "3"] == [accepted.uid for accepted in deliver((*REPORT, *others), refusing())]


def test_one_of_the_alternatives_is_sent() -> None:
    assert [("1", "comprehensive", ())] == [(a.uid, a.form, a.refused) for a in deliver(REPORT, refusing())]


def test_the_next_is_sent_where_one_is_refused() -> None:
    assert [("2", "enhanced", ("no 1",))] == [(a.uid, a.form, a.refused) for a in deliver(REPORT, refusing("1"))]


KNOWN = {("report", "comprehensive"): "refused at the test of 2026-01-02: 0xC000"}


def test_what_is_known_to_be_refused_is_tried_last_and_the_ledger_is_told() -> None:
    taken = first_taken(REPORT, refusing(), KNOWN)

    assert ("2", ("not tried, refused at the test of 2026-01-02: 0xC000",)) == (taken.uid, taken.refused)


def test_what_is_known_to_be_refused_is_tried_where_all_else_is_refused_now() -> None:
    taken = first_taken(REPORT, refusing("2"), KNOWN)

    assert ("1", "comprehensive", ("no 2",)) == (taken.uid, taken.form, taken.refused)


def test_where_every_form_is_known_to_be_refused_all_are_tried_in_their_order() -> None:
    taken = first_taken(REPORT, refusing("1"), KNOWN | {("report", "enhanced"): "refused too"})

    assert ("2", ("no 1",)) == (taken.uid, taken.refused)


def test_what_would_have_come_later_anyway_is_not_told() -> None:
    assert () == first_taken(REPORT, refusing(), {("report", "enhanced"): "refused"}).refused


def test_a_page_may_stand_for_a_report() -> None:
    taken = deliver((one("summary", "9"), *REPORT), refusing("1", "2"))

    assert [("summary", "9", ""), ("report", "", "no 1; no 2")] == [(a.kind, a.uid, a.warning) for a in taken]


def test_a_pdf_may_stand_for_a_report_where_no_picture_is_sent() -> None:
    taken = deliver((*REPORT, one("pdf", "9")), refusing("1", "2"))

    assert ["pdf", "report"] == [accepted.kind for accepted in taken]


def test_a_pdf_stands_for_report_page_and_map_where_nothing_else_is_taken() -> None:
    taken = deliver((one("summary", "7"), one("heatmap", "8"), *REPORT, one("pdf", "9")), refusing("1", "2", "7", "8"))

    said = "not sent, the pdf says the same"
    assert [("pdf", "9", "taken"), *((kind, "", said) for kind in ("heatmap", "report", "summary"))] == [
        (accepted.kind, accepted.uid, accepted.proof) for accepted in taken
    ]


def test_a_summary_page_stands_for_the_page_to_print_which_comes_after_it() -> None:
    taken = deliver((one("summary", "7"), *REPORT, one("pdf", "9")), refusing("1", "2", "9"))

    said = "not sent, the summary says the same"
    assert [("summary", "7", "taken"), ("pdf", "", said), ("report", "", said)] == [
        (accepted.kind, accepted.uid, accepted.proof) for accepted in taken
    ]


def test_a_pdf_stands_for_the_pictures_beside_a_report_that_was_taken() -> None:
    taken = deliver((one("summary", "7"), *REPORT, one("pdf", "9")), refusing("7"))

    assert [("report", "1"), ("pdf", "9"), ("summary", "")] == [(accepted.kind, accepted.uid) for accepted in taken]


@pytest.mark.parametrize(
    ("results", "refused"),
    [
        pytest.param((one("heatmap", "9"), *REPORT), ("1", "2"), id="a heatmap says nothing"),
        pytest.param((one("summary", "9"), *REPORT), ("1", "2", "9"), id="the page was refused too"),
        pytest.param((one("summary", "8"), one("heatmap", "9"), *REPORT), ("1", "2", "9"), id="more was refused"),
        pytest.param(
            (one("summary", "9"), *REPORT, one("report", "3", "comprehensive")), ("1", "2"), id="a report has no page"
        ),
        pytest.param((one("summary", "8"), one("summary", "9"), *REPORT), ("1", "2", "9"), id="a page is missing"),
        pytest.param((*REPORT, one("pdf", "9")), ("9",), id="a page to print that is wanted without a summary"),
        pytest.param((*REPORT, one("gsps", "8"), one("pdf", "9")), ("1", "2", "8"), id="a pdf is no state"),
        pytest.param(
            (one("summary", "7"), one("summary", "8"), one("pdf", "9"), *REPORT),
            ("1", "2", "7", "8"),
            id="one of two models makes no pdf",
        ),
    ],
)
def test_nothing_stands_for_a_report_where_a_result_would_be_missing(results, refused) -> None:
    with pytest.raises(RejectedError, match=r"no 1; no 2|no 9"):
        deliver(results, refusing(*refused))
