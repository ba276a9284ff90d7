"""The rule that every destination keeps: one refused result holds back no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dicom_node.deliver.errors import DestinationUnavailableError, RejectedError
from dicom_node.deliver.port import Acceptance
from structured_reports.port import ResultObject


def each(results: Sequence[ResultObject], push: Callable[[ResultObject], Acceptance]) -> tuple[Acceptance, ...]:
    """Return what `push` returns for each result; a PACS that takes no SR still gets the image.

    Raises
    ------
    DestinationUnavailableError
        From `push`, at once; `accepted` holds what was taken before.
    RejectedError
        After the last result, with every refusal; `accepted` holds all others.
    """
    accepted: list[Acceptance] = []
    refusals: list[str] = []
    for result in results:
        try:
            accepted.append(push(result))
        except RejectedError as error:
            refusals.append(str(error))
        except DestinationUnavailableError as error:
            error.accepted = tuple(accepted)
            raise
    if refusals:
        raise RejectedError("; ".join(refusals), accepted)
    return tuple(accepted)
