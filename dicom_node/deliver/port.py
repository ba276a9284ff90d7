"""Where results go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import AfterValidator, ConfigDict, Field

from structured_reports.port import ResultObject

VALID_FROM_BIRTH = ConfigDict(extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=False)
"""Of every destination: a table of the settings becomes one, and an unknown key is a fault."""


@dataclass(frozen=True)
class Acceptance:
    """What a destination said when it took a result.

    Attributes
    ----------
    kind, uid
        Of the result object; no UID where nothing was sent in its place, as the warning says.
    proof
        ``C-STORE 0x0000``, with the transfer syntax where it is not the recorded one;
        ``201 DiagnosticReport/12/_history/1``; or the path relative to the folder. It is recorded and shown, so
        it carries no identity.
    warning
        What a person may want to look at although the result was taken.
    form
        Of the result object, where there are several.
    refused
        Why none of the forms was taken that would have been sent before this one.
    """

    kind: str
    uid: str
    proof: str
    warning: str = ""
    form: str = ""
    refused: tuple[str, ...] = ()


class Destination(Protocol):
    """A system that takes results; an implementation is a frozen dataclass of its configuration."""

    @property
    def name(self) -> str:
        """Name that people gave it in the settings."""

    @property
    def forms(self) -> Collection[str]:
        """Alternatives that may be sent there beside the first form of a result (`structured_reports.forms`)."""

    def takes(self, result: ResultObject) -> bool:
        """Return whether the result, or one that it is an alternative to, is sent there.

        Who takes any DICOM result takes the note that withdraws results too, whatever kinds it is limited to.
        """

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        """Return one acceptance a result, of alternatives one for all, in their order. Twice is once.

        Raises
        ------
        DestinationUnavailableError
            At least one result was not taken and may be taken later.
        RejectedError
            At least one result was refused, and all others were taken.
        """

    def check(self) -> str:
        """Return one line for people about a round trip that changed nothing there.

        Raises
        ------
        DeliveryError
            The destination cannot be used, and why.
        """


def _name(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 64:
        raise ValueError(f"{value!r}: a name is 1 to 64 printable characters")
    return value


Name = Annotated[str, AfterValidator(_name)]


def require_host(value: str) -> str:
    """Return a host name that can be looked up.

    Raises
    ------
    ValueError
        It has an empty label, or one of more than 63 octets (RFC 1035 2.3.4).
    """
    try:
        value.encode("idna")
    except UnicodeError:
        raise ValueError(f"{value!r}: a host name has labels of 1 to 63 octets (RFC 1035 2.3.4)") from None
    return value


Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s/]+$"), AfterValidator(require_host)]
"""Name or address of a machine."""

Kinds = frozenset[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]]
"""Kinds of result objects that a destination takes; empty for all."""
