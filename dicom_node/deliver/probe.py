"""What a peer takes: learned from an association that proposes all that the node could send it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from structured_reports.forms import ENCODINGS, REPORT_FORMS, untitled
from structured_reports.selection import CREATED

SYNTAXES: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *ENCODINGS.values())
"""Of which the last are for pictures only."""


@dataclass(frozen=True)
class Capabilities:
    """What a peer said.

    Attributes
    ----------
    implementation
        Its Implementation Version Name, or its Implementation Class UID (PS3.7 D.3.3.2).
    maximum_length
        Of a PDU that it takes, in bytes; 0 where it sets no limit (PS3.8 D.1).
    takes
        Transfer syntaxes that it accepts of each SOP class that was proposed, in the order of `SYNTAXES`.
    sends
        What it would be sent of each kind of object; empty where it takes none of its forms.
    said
        Kind, form and answer of each object that was stored there to try it.
    """

    implementation: str
    maximum_length: int
    takes: Mapping[str, tuple[str, ...]]
    sends: Mapping[str, str]
    said: tuple[tuple[str, str, str], ...] = ()


def everything() -> list[PresentationContext]:
    """Return a context for each SOP class that the node creates, in each transfer syntax that it can send."""
    return [build_context(uid, syntax) for uid in _sop_classes() for syntax in _syntaxes(uid)]


def capabilities(
    assoc: Association, order: Sequence[str], kinds: Collection[str], said: tuple[tuple[str, str, str], ...]
) -> Capabilities:
    """Return what the peer accepted on an association that proposed `everything`.

    Parameters
    ----------
    order
        Forms in which it is asked to take a result.
    kinds
        Of the objects that are sent there.
    """
    pairs = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in assoc.accepted_contexts if c.as_scu}
    takes = {uid: tuple(one for one in SYNTAXES if (uid, one) in pairs) for uid in _sop_classes()}
    peer = assoc.acceptor
    return Capabilities(
        implementation=str(peer.implementation_version_name or peer.implementation_class_uid or ""),
        maximum_length=int(peer.maximum_length or 0),
        takes=takes,
        sends={kind: _sent(uid, takes, order) for kind, uid, _, _ in CREATED if kind in kinds},
        said=said,
    )


def _sop_classes() -> list[str]:
    return list(dict.fromkeys([*REPORT_FORMS.values(), *(str(uid) for _, uid, _, _ in CREATED)]))


def _syntaxes(sop_class_uid: str) -> tuple[str, ...]:
    return SYNTAXES if sop_class_uid == SecondaryCaptureImageStorage else SYNTAXES[:2]


def _sent(sop_class_uid: str, takes: Mapping[str, Sequence[str]], order: Sequence[str]) -> str:
    """Return the first form that is taken, in words."""
    if sop_class_uid in REPORT_FORMS.values():
        forms = [REPORT_FORMS[untitled(form)] for form in order if untitled(form) in REPORT_FORMS]
        return next((UID(uid).name for uid in forms if _plain(takes[uid])), "")
    encoded = [ENCODINGS[form] for form in order if form in ENCODINGS]
    syntax = next((one for one in encoded if one in takes[sop_class_uid]), None) or _plain(takes[sop_class_uid])
    return f"{UID(sop_class_uid).name}, {UID(syntax).name}" if syntax else ""


def _plain(syntaxes: Sequence[str]) -> str:
    """Return the uncompressed transfer syntax that is sent, empty where none is taken."""
    return next((one for one in SYNTAXES[:2] if one in syntaxes), "")
