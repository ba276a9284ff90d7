"""Which presentation contexts results need, and which of them a peer accepted (PS3.8 9.3.2.2, 9.3.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from structured_reports.port import ResultObject


def transfer_syntaxes(result: ResultObject) -> tuple[str, ...]:
    """Return the syntaxes in which a result can be sent, the recorded one first.

    The default transfer syntax is offered with every SOP class, unless the data are compressed (PS3.5 10.1).
    """
    recorded = result.transfer_syntax_uid
    return (recorded, ImplicitVRLittleEndian) if recorded == ExplicitVRLittleEndian else (recorded,)


def contexts(results: Sequence[ResultObject]) -> list[PresentationContext]:
    """Return one context for each pair: an acceptor chooses one transfer syntax of those in a context."""
    pairs = dict.fromkeys((result.sop_class_uid, syntax) for result in results for syntax in transfer_syntaxes(result))
    return [build_context(sop_class, transfer_syntax) for sop_class, transfer_syntax in pairs]


def accepted_context(assoc: Association, result: ResultObject) -> tuple[int, str] | None:
    """Return ID and transfer syntax of the best context for a result; None where the peer accepted none."""
    accepted = {
        (str(context.abstract_syntax), str(context.transfer_syntax[0])): context.context_id
        for context in assoc.accepted_contexts
        if context.as_scu
    }
    for syntax in transfer_syntaxes(result):
        if (context_id := accepted.get((result.sop_class_uid, syntax))) is not None:
            return context_id, syntax
    return None


def spoken(proposed: Iterable[PresentationContext]) -> str:
    """Return SOP classes and transfer syntaxes in words, as proposed: an answer repeats no rejected syntax."""
    syntaxes: dict[str, list[str]] = {}
    for context in proposed:
        names = [UID(syntax).name for syntax in context.transfer_syntax]
        syntaxes.setdefault(UID(context.abstract_syntax or "").name, []).extend(names)
    return ", ".join(f"{sop_class} as {' or '.join(names)}" for sop_class, names in syntaxes.items())
