"""Which of several forms of a result a destination is sent: the first of its order that it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from dicom_node.deliver.errors import RejectedError
from dicom_node.deliver.port import Acceptance
from structured_reports.port import ResultObject

REPORT = "report"

Refused = Mapping[tuple[str, str], str]
"""Kind and form of objects that a destination is known to refuse, to how it is known."""

STANDS_FOR: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "summary": frozenset({REPORT, "pdf"}),
        # Both pictures are Secondary Captures: who takes none of that class sees film and map on the page to print
        "pdf": frozenset({REPORT, "summary", "heatmap"}),
    }
)
"""Pages, in the order in which they are asked to stand for what was refused, and the kinds that each says all of."""


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


def first_taken(
    group: Sequence[ResultObject], push: Callable[[ResultObject], Acceptance], last: Refused = MappingProxyType({})
) -> Acceptance:
    """Return what `push` returns for the first of a group that is not refused.

    Parameters
    ----------
    last
        Why some forms are tried after all others; they are tried, so that nothing is held back by what is known of
        another day.

    Raises
    ------
    RejectedError
        Every one was refused.
    DestinationUnavailableError
        From `push`, at once: nothing is known yet of the form.
    """
    refused: list[str] = []
    put_off = [one for one in group if (one.kind, one.form) in last]
    for result in sorted(group, key=put_off.__contains__):
        if result in put_off:
            put_off.remove(result)
        try:
            reasons = [f"not tried, {last[one.kind, one.form]}" for one in put_off if _is_before(one, result, group)]
            return replace(push(result), form=result.form, refused=(*reasons, *refused))
        except RejectedError as error:
            refused.append(str(error))
    raise RejectedError("; ".join(refused), kinds=frozenset({group[0].kind}))


def _is_before(one: ResultObject, other: ResultObject, group: Sequence[ResultObject]) -> bool:
    return group.index(one) < group.index(other)


def said_by_a_page(error: RejectedError, groups: Sequence[Sequence[ResultObject]]) -> tuple[Acceptance, ...]:
    """Return what was accepted, where a page that came with each result says all that was refused.

    Raises
    ------
    RejectedError
        `error`: a result would be missing there.
    """
    wanted = Counter(group[0].kind for group in groups)
    taken = Counter(one.kind for one in error.accepted)
    results = max((wanted[kind] for kind in error.kinds), default=0)
    pages = (page for page, said in STANDS_FOR.items() if error.kinds and error.kinds <= said)
    page = next((page for page in pages if taken[page] == wanted[page] >= results), None)
    if page is None:
        raise error
    said = f"not sent, the {page} says the same"
    return (*error.accepted, *(Acceptance(kind, "", said, warning=str(error)) for kind in sorted(error.kinds)))
