"""Which of several forms of a result a destination is sent: the first of its order that it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from dicom_node.deliver.errors import RejectedError
from dicom_node.deliver.port import Acceptance
from structured_reports.port import ResultObject

REPORT = "report"

PAGES = ("summary", "pdf")
"""Kinds that say in words and pictures all that a report says."""


def grouped(results: Sequence[ResultObject], order: Sequence[str]) -> list[list[ResultObject]]:
    """Return the results, those that are alternatives together and in the order of their forms."""
    groups: dict[str, list[ResultObject]] = {}
    for result in results:
        groups.setdefault(result.alternative_to or result.uid, []).append(result)
    return [_in_order(group, order) for group in groups.values()]


def _in_order(group: list[ResultObject], order: Sequence[str]) -> list[ResultObject]:
    wanted = sorted((one for one in group if one.form in order), key=lambda one: order.index(one.form))
    # Recorded under other settings than those in force: what there is, rather than nothing
    return wanted or group[:1]


def first_taken(group: Sequence[ResultObject], push: Callable[[ResultObject], Acceptance]) -> Acceptance:
    """Return what `push` returns for the first of a group that is not refused.

    Raises
    ------
    RejectedError
        Every one was refused.
    DestinationUnavailableError
        From `push`, at once: nothing is known yet of the form.
    """
    refused: list[str] = []
    for result in group:
        try:
            return replace(push(result), form=result.form, refused=tuple(refused))
        except RejectedError as error:
            refused.append(str(error))
    raise RejectedError("; ".join(refused), kinds=frozenset({group[0].kind}))


def said_by_a_page(error: RejectedError, groups: Sequence[Sequence[ResultObject]]) -> tuple[Acceptance, ...]:
    """Return what was accepted, where nothing but reports was refused and a page came with each of them.

    Raises
    ------
    RejectedError
        `error`: a result would be missing there.
    """
    wanted = Counter(group[0].kind for group in groups)
    taken = Counter(one.kind for one in error.accepted)
    page = next((kind for kind in PAGES if taken[kind] == wanted[kind] >= wanted[REPORT]), None)
    if error.kinds != {REPORT} or page is None:
        raise error
    return (*error.accepted, Acceptance(REPORT, "", f"not sent, the {page} says the same", warning=str(error)))
