"""What a peer takes: learned from an association that proposes all that the node could send it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicom_node.deliver.alternatives import Refused
from structured_reports.forms import ENCODINGS, REPORT_FORMS, untitled
from structured_reports.selection import CREATED

Form = tuple[str, str]
"""Kind and form."""

SYNTAXES: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *ENCODINGS.values())
"""Of which the last are for pictures only."""


TAKEN, WARNED, LATER, NOT_ACCEPTED = "taken", "warned", "later", "not accepted"
REFUSED, ENDED = "refused", "ended"
"""What became of a test object: `NOT_ACCEPTED` in the negotiation, `ENDED` the association."""

NOT_TAKEN = (REFUSED, ENDED)
"""What a peer answers to an object that it accepted in the negotiation, and may again."""


@dataclass(frozen=True)
class Tried:
    """What a peer said of an object of the test patient.

    Attributes
    ----------
    remark
        What a person may want to look at although it was taken.
    """

    kind: str
    form: str
    outcome: str
    said: str
    remark: str = ""


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
    tried
        Objects that were stored there to try it.
    """

    implementation: str
    maximum_length: int
    takes: Mapping[str, tuple[str, ...]]
    sends: Mapping[str, str]
    tried: tuple[Tried, ...] = ()


def everything() -> list[PresentationContext]:
    """Return a context for each SOP class that the node creates, in each transfer syntax that it can send."""
    return [build_context(uid, syntax) for uid in _sop_classes() for syntax in _syntaxes(uid)]


def capabilities(
    assoc: Association, order: Sequence[str], kinds: Collection[str], tried: tuple[Tried, ...], last: Refused
) -> Capabilities:
    """Return what the peer accepted on an association that proposed `everything`.

    Parameters
    ----------
    order
        Forms in which it is asked to take a result.
    kinds
        Of the objects that are sent there.
    last
        What is tried after all else, because an earlier test showed it as refused; a test of now speaks for itself.
    """
    pairs = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in assoc.accepted_contexts if c.as_scu}
    takes = {uid: tuple(one for one in SYNTAXES if (uid, one) in pairs) for uid in _sop_classes()}
    peer = assoc.acceptor
    known = {(one.kind, one.form) for one in tried if one.outcome in NOT_TAKEN} if tried else set(last)
    return Capabilities(
        implementation=str(peer.implementation_version_name or peer.implementation_class_uid or ""),
        maximum_length=int(peer.maximum_length or 0),
        takes=takes,
        sends={kind: _sent(kind, uid, takes, order, known) for kind, uid, _, _ in CREATED if kind in kinds},
        tried=tried,
    )


def _sop_classes() -> list[str]:
    return list(dict.fromkeys([*REPORT_FORMS.values(), *(str(uid) for _, uid, _, _ in CREATED)]))


def _syntaxes(sop_class_uid: str) -> tuple[str, ...]:
    return SYNTAXES if sop_class_uid == SecondaryCaptureImageStorage else SYNTAXES[:2]


def _sent(
    kind: str, sop_class_uid: str, takes: Mapping[str, Sequence[str]], order: Sequence[str], last: Collection[Form]
) -> str:
    """Return the first form that is taken, in words."""
    is_report = sop_class_uid in REPORT_FORMS.values()
    words = _reports(takes, order) if is_report else _objects(sop_class_uid, takes[sop_class_uid], order)
    forms = sorted(words, key=lambda form: (kind, form) in last)
    return words[forms[0]] if forms else ""


def _reports(takes: Mapping[str, Sequence[str]], order: Sequence[str]) -> dict[str, str]:
    """Return the forms of a report that are taken, in words."""
    classes = {form: REPORT_FORMS[untitled(form)] for form in order if untitled(form) in REPORT_FORMS}
    return {form: UID(uid).name for form, uid in classes.items() if _plain(takes[uid])}


def _objects(sop_class_uid: str, taken: Sequence[str], order: Sequence[str]) -> dict[str, str]:
    """Return the forms of any other object that are taken, in words."""
    syntaxes = {form: ENCODINGS[form] for form in order if form in ENCODINGS} | {"": _plain(taken)}
    return {form: f"{UID(sop_class_uid).name}, {UID(uid).name}" for form, uid in syntaxes.items() if uid in taken}


def _plain(syntaxes: Sequence[str]) -> str:
    """Return the uncompressed transfer syntax that is sent, empty where none is taken."""
    return next((one for one in SYNTAXES[:2] if one in syntaxes), "")
