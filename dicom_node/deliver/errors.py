"""What can go wrong at a destination, split by what is done about it.

::

    NodeError
    └── DeliveryError
        ├── DestinationUnavailableError   try later, the same bytes
        └── RejectedError                 park: needs a person

A message names the destination, the kind of object, the status and the rule; never a value of the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicom_node.errors import NodeError

if TYPE_CHECKING:
    from dicom_node.deliver.port import Acceptance

SLOWLY_S = 300.0
"""Wait between attempts where a person has to do something at the destination before the next can succeed."""


class DeliveryError(NodeError):
    """A destination did not take every result.

    Attributes
    ----------
    accepted
        What it took before or beside that; to be recorded like any acceptance.
    """

    def __init__(self, message: str, accepted: Sequence[Acceptance] = ()) -> None:
        super().__init__(message)
        self.accepted = tuple(accepted)


class DestinationUnavailableError(DeliveryError):
    """The same bytes may be taken later.

    Attributes
    ----------
    retry_after_s
        Earliest next attempt, as the destination asked for or as makes sense; None leaves it to the back-off.
    """

    def __init__(self, message: str, accepted: Sequence[Acceptance] = (), retry_after_s: float | None = None) -> None:
        super().__init__(message, accepted)
        self.retry_after_s = retry_after_s


class RejectedError(DeliveryError):
    """The same bytes will never be taken as things stand.

    Attributes
    ----------
    kinds
        Of the results that were refused in every form.
    """

    def __init__(self, message: str, accepted: Sequence[Acceptance] = (), kinds: frozenset[str] = frozenset()) -> None:
        super().__init__(message, accepted)
        self.kinds = kinds
