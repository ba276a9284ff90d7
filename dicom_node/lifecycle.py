"""What an operator does to results that were recorded: have a study read again, or take its results back.

Both are recorded in one transaction with the work that follows, and doing either twice is doing it once. They run
beside the node, which need not be up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom.errors import InvalidDicomError

from dicom_node.checkpoint import reached
from dicom_node.engine.app import Queues
from dicom_node.errors import NothingToDoError, UnknownStudyError
from dicom_node.former import reference_of
from dicom_node.ledger import lifecycle, views
from dicom_node.ledger.database import writing
from dicom_node.ledger.generations import WITHDRAWN, Generation, RecordedResult
from dicom_node.ledger.lifecycle import Sent
from dicom_node.node import Node
from dicom_node.observe.events import RerunQueued, StudyWithdrawn, say
from dicom_node.pipeline import header_of
from dicom_node.recipe import software
from dicom_node.study import study_key
from structured_reports.fhir import versions
from structured_reports.fhir.withdrawal import withdrawn_bundle
from structured_reports.lifecycle import Reference, RejectionReason, model_name
from structured_reports.port import DICOM, FHIR_JSON, Equipment, Refusal, ReportRequest, ResultObject
from structured_reports.rejection import TITLES, rejection

# Another result was recorded while the note was written; more often than this is no coincidence.
_MOST_TRIES = 5


# Of a key: so few name one study of some thousand, and are typed without a slip.
_FEWEST_OF_A_KEY = 6


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal came to.

    Attributes
    ----------
    instances
        How many the rejection note names; 0 where none was sent, so that there is no note.
    destinations
        Those that are told.
    unreachable
        Those that have results and are no longer configured: somebody must tell them.
    """

    number: int
    instances: int
    destinations: tuple[str, ...]
    unreachable: tuple[str, ...]


def rerun(node: Node, wanted: str, note: str) -> tuple[int, bool]:
    """Have a study read again, with the instances that it has and the models that are set up now.

    Returns
    -------
    number, is_new
        Of the generation; False where the same was asked before and is not done yet.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived.
    NothingToDoError
        No instance of it is complete, or one is lost on disk.
    """
    database = node.database()
    queues = Queues(database)
    with writing(database) as connection:
        uid = known_study(connection, wanted)
        if not lifecycle.has_instances(connection, uid):
            raise NothingToDoError(f"study {study_key(uid)}: nothing was read of it yet; it is read when complete")
        _require_files(node, connection, uid)
        key, number, is_new = lifecycle.open_rerun(connection, uid, note, time.time())
        if is_new:
            queues.read(connection, key)
    reached("rerun-recorded")
    say(RerunQueued(study_key(uid), number))
    return number, is_new


def withdraw(node: Node, wanted: str, reason: RejectionReason, note: str, model: str | None) -> Withdrawn | None:
    """Take the results of a study back, wherever they were sent (IHE RAD TF, IOCM).

    Parameters
    ----------
    model
        Name, or name and version, where the results of one model are meant; None for all.

    Returns
    -------
    Withdrawn or None
        None where all that is meant was withdrawn before.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived.
    NothingToDoError
        No such result was ever recorded.
    """
    database = node.database()
    queues = Queues(database)
    routes = [route.name for route in node.settings.research]
    for _ in range(_MOST_TRIES):
        with database.connect() as connection:
            uid = known_study(connection, wanted)
            standing = lifecycle.standing_results(connection, uid, model, routes)
            number = lifecycle.next_number(connection, uid)
            if not standing:
                _require_recorded(connection, uid, model)
                return None
        note_of = _Note(node, uid, number, datetime.now(UTC).astimezone(), reason, note, model or "", tuple(standing))
        try:
            recorded = note_of.written()
        except (FileNotFoundError, InvalidDicomError) as error:
            raise NothingToDoError(
                f"study {study_key(uid)}: a recorded object is lost or damaged, nothing was withdrawn: {error}"
            ) from error
        reached("withdrawal-written")
        with writing(database) as connection:
            if lifecycle.standing_results(connection, uid, model, routes) != standing:
                continue  # sent or recorded meanwhile: the note would not name it
            if lifecycle.next_number(connection, uid) != number:
                continue
            withdrawn = note_of.record(connection, queues, recorded)
        reached("withdrawal-recorded")
        say(StudyWithdrawn(study_key(uid), number, reason.value))
        return withdrawn
    raise NothingToDoError(f"study {study_key(uid)}: its results change all the time; nothing was withdrawn, try again")


def reason_of(said: str) -> RejectionReason:
    """Return the reason that an operator named, by word or by code.

    Raises
    ------
    NothingToDoError
        It is none.
    """
    for reason, title in TITLES.items():
        if said in (reason.value, title.value):
            return reason
    known = "; ".join(f"{title.value} or {reason.value}: {title.meaning}" for reason, title in TITLES.items())
    raise NothingToDoError(f"--reason: {said!r}: a reason is one of {known} (IHE IOCM)")


def known_study(connection: sa.Connection, wanted: str) -> str:
    """Return the Study Instance UID of a study that is named by it or by its key, of which the beginning is enough.

    Raises
    ------
    UnknownStudyError
        Nothing of such a study arrived, or several keys begin so.
    """
    found = views.find_studies(connection, wanted)
    if len(wanted) < _FEWEST_OF_A_KEY:
        found = [uid for uid in found if uid == wanted]
    if not found:
        how = f"its key, or at least {_FEWEST_OF_A_KEY} characters from its beginning"
        raise UnknownStudyError(f"no study {wanted!r} has arrived (give its Study Instance UID, {how})")
    if len(found) > 1:
        raise UnknownStudyError(f"{wanted!r} may be any of {', '.join(sorted(map(study_key, found)))}")
    return found[0]


def _require_files(node: Node, connection: sa.Connection, uid: str) -> None:
    received = [one["path"] for one in views.instances_of(connection, uid) if one["generation_id"] is not None]
    lost = [path for path in received if not node.spool.path(path).exists()]
    if lost:
        raise NothingToDoError(
            f"study {study_key(uid)}: {len(lost)} of {len(received)} received instances are lost on disk, first "
            f"{lost[0]}; a study is read again with all its images, or not at all"
        )


def _require_recorded(connection: sa.Connection, uid: str, model: str | None) -> None:
    models = lifecycle.recorded_models(connection, uid)
    if not models:
        raise NothingToDoError(f"study {study_key(uid)}: no result was recorded, so there is none to withdraw")
    if model is not None and not any(model in (one, model_name(one)) for one in models):
        known = ", ".join(one or "AI not performed" for one in models)
        raise NothingToDoError(f"--model: {model!r}: study {study_key(uid)} has results of: {known}")


@dataclass(frozen=True)
class _Note:
    """A withdrawal in the making."""

    node: Node
    study_uid: str
    number: int
    at: datetime
    reason: RejectionReason
    note: str
    model: str
    standing: tuple[Sent, ...]

    def written(self) -> list[RecordedResult]:
        """Make the note and the bundles durable, and return what is to be recorded of them."""
        results, generation = self.node.results, self._generation()
        note = self._rejection()
        recorded = list(results.write(generation, self.model, (note,) if note else ()))
        for model, path in self._bundles.items():
            bundle = withdrawn_bundle((results.root / path).read_bytes(), self._words, self.at)
            recorded += results.write(generation, model, (bundle,))
        return recorded

    def record(self, connection: sa.Connection, queues: Queues, objects: Sequence[RecordedResult]) -> Withdrawn:
        """Record everything and queue the deliveries; the caller commits."""
        code = TITLES[self.reason].value
        opened = lifecycle.begin_withdrawal(
            connection,
            self.study_uid,
            self.at.timestamp(),
            code=code,
            reason=self._words,
            note=self.note,
            model=self.model,
        )
        reachable = [name for name in self._holders if name in self.node.destinations]
        made = lifecycle.record_withdrawal(
            connection, opened, self.standing, objects, reachable if objects else (), self._made_with
        )
        for name, delivery_id in zip(reachable, made, strict=False):
            queues.deliver(connection, delivery_id, name)
        unreachable = tuple(name for name in self._holders if name not in reachable)
        return Withdrawn(self.number, len(self._sent), tuple(reachable), unreachable)

    def _rejection(self) -> ResultObject | None:
        rejected = [reference_of(self.node.results.root, one.recorded) for one in self._sent]
        if not rejected:
            return None
        return rejection_note(self._source, self._made_with, self.number, rejected)

    @property
    def _words(self) -> str:
        return self.note or TITLES[self.reason].meaning

    @property
    def _holders(self) -> list[str]:
        return list(dict.fromkeys(name for one in self.standing for name in one.destinations))

    @property
    def _sent(self) -> list[Sent]:
        """DICOM instances that somebody has, each once whatever its encoding was."""
        dicom = [one for one in self.standing if one.recorded.media_type == DICOM and one.destinations]
        return list({one.recorded.uid: one for one in dicom}.values())

    @property
    def _bundles(self) -> Mapping[str, str]:
        """Model to the last bundle of each report that somebody has and that is not taken back yet."""
        bundles = [one for one in self.standing if one.recorded.media_type == FHIR_JSON]
        sent = any(one.destinations for one in bundles)
        return dict(_last_bundles(self.node.results.root, bundles)) if sent else {}

    @property
    def _source(self) -> Path:
        with self.node.database().connect() as connection:
            instances = views.instances_of(connection, self.study_uid)
        path = next(one["path"] for one in instances if one["generation_id"] is not None)
        return self.node.spool.path(path)

    @property
    def _made_with(self) -> dict[str, Any]:
        return {
            "made_at": self.at.isoformat(),
            "equipment": asdict(self.node.equipment(self.node.identity())),
            "notice": self.node.settings.report.notice,
            "reason": self.reason.value,
            "words": self._words,
            "source": str(self._source.relative_to(self.node.spool.root)),
            "software": software(),
            "rejected": [vars(one.recorded) for one in self._sent],
            "bundles": dict(self._bundles),
        }

    def _generation(self) -> Generation:
        return Generation(0, self.study_uid, self.number, WITHDRAWN, self.at.timestamp(), 0, ())


def rejection_note(
    source: Path, made_with: Mapping[str, Any], number: int, rejected: Sequence[Reference]
) -> ResultObject:
    """Return the rejection note of a withdrawal, from its record."""
    request = ReportRequest(
        source=header_of(source),
        display=None,
        outcome=Refusal(WITHDRAWN, "The results are withdrawn"),
        equipment=Equipment(**made_with["equipment"]),
        made_at=datetime.fromisoformat(made_with["made_at"]),
        generation=number,
        notice=made_with["notice"],
    )
    return rejection(request, RejectionReason(made_with["reason"]), rejected)


def _last_bundles(root: Path, bundles: Sequence[Sent]) -> Iterator[tuple[str, str]]:
    """Yield model and path of the last bundle of each report; versions of a report share its key."""
    last: dict[str, Sent] = {}
    for one in bundles:
        content = (root / one.recorded.path).read_bytes()
        former = versions.former_report(content)
        last[former.key] = one
        if former.status == versions.WITHDRAWN:
            del last[former.key]
    for one in last.values():
        yield one.recorded.model, one.recorded.path
