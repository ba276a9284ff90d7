"""The rule that every destination keeps: one refused result holds back no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dicom_node.deliver.errors import DestinationUnavailableError, RejectedError
from dicom_node.deliver.port import Acceptance

Item = TypeVar("Item")


def each(results: Sequence[Item], push: Callable[[Item], Acceptance]) -> tuple[Acceptance, ...]:
    """Return what `push` returns for each result, or group of alternatives; one refusal stops no other.

    Raises
    ------
    DestinationUnavailableError
        From `push`, at once; `accepted` holds what was taken before.
    RejectedError
        After the last result, with every refusal; `accepted` holds all others.
    """
    accepted: list[Acceptance] = []
    refusals: list[RejectedError] = []
    for result in results:
        try:
            accepted.append(push(result))
        except RejectedError as error:
            refusals.append(error)
        except DestinationUnavailableError as error:
            error.accepted = tuple(accepted)
            raise
    if refusals:
        kinds = frozenset(kind for error in refusals for kind in error.kinds)
        raise RejectedError("; ".join(map(str, refusals)), accepted, kinds)
    return tuple(accepted)
