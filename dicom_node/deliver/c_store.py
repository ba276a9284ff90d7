"""Results to a PACS by C-STORE."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicom_node.deliver.alternatives import Refused, first_taken, grouped, said_by_a_page
from dicom_node.deliver.each import each
from dicom_node.deliver.errors import SLOWLY_S, DestinationUnavailableError, RejectedError
from dicom_node.deliver.implicit_vr import implicit_vr
from dicom_node.deliver.message import encoded_data_set, limit_writes, pause_reactor, send, store_request
from dicom_node.deliver.port import VALID_FROM_BIRTH, Acceptance, Host, Kinds, Name
from dicom_node.deliver.presentation import accepted_context, contexts, spoken
from dicom_node.deliver.probe import (
    ENDED,
    LATER,
    NOT_ACCEPTED,
    REFUSED,
    TAKEN,
    WARNED,
    Capabilities,
    Tried,
    capabilities,
    everything,
)
from dicom_node.deliver.status import Verdict, verdict
from dicom_node.dimse import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, SOCKET_TUNING
from dicom_node.study import AETitle
from structured_reports.forms import PROFILES, titled
from structured_reports.port import DICOM, KINDS, REJECTION, ResultObject

VERIFICATION = UID("1.2.840.10008.1.1")

PERMANENT = 0x01
"""Result of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""


@dataclass(frozen=True, config=VALID_FROM_BIRTH)
class StorageSCU:
    """A PACS that takes DICOM objects on one association a delivery.

    Attributes
    ----------
    timeout_s
        For each of: connection, association, response, release, and one write to the socket.
    profile
        ``viewer``: a report without region has a title under which viewers show its text. ``air``: the title is
        126000 in any case (IHE AI Results).
    report_forms
        Which forms of the report it is sent, the first that it takes; empty for those of the profile.
    compression
        Lossless encodings of pictures, the first that it takes, before the uncompressed one.
    """

    name: Name
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    called_ae: AETitle
    calling_ae: AETitle
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    kinds: Kinds = frozenset()
    profile: Literal["viewer", "air"] = "viewer"
    report_forms: tuple[Literal["comprehensive", "comprehensive-3d", "enhanced", "basic-text"], ...] = ()
    compression: tuple[Literal["jpeg-ls", "jpeg-2000"], ...] = ("jpeg-ls",)

    @property
    def forms(self) -> tuple[str, ...]:
        reports = self.report_forms or PROFILES[self.profile]
        return (*(titled(form, self.profile) for form in reports), *self.compression)

    def takes(self, result: ResultObject) -> bool:
        return result.media_type == DICOM and self._wants(result.kind)

    def deliver(self, results: Sequence[ResultObject], last: Refused = MappingProxyType({})) -> tuple[Acceptance, ...]:
        """As `Destination.deliver`; of alternatives those in `last` are tried after the others."""
        if not results:
            return ()
        groups = grouped(results, self._order)
        message_ids = count(1)
        with self._association(contexts(list(chain(*groups)))) as assoc:

            def push(result: ResultObject) -> Acceptance:
                return self._store(assoc, result, next(message_ids))

            try:
                return each(groups, lambda group: first_taken(group, push, last))
            except RejectedError as error:
                return said_by_a_page(error, groups)

    def check(self) -> str:
        started = time.monotonic()
        with self._association([build_context(VERIFICATION)]) as assoc:
            status = assoc.send_c_echo().get("Status")
        if status is None:
            raise DestinationUnavailableError(f"{self.name}: no answer to C-ECHO from {self._peer}")
        if status != 0x0000:
            raise RejectedError(f"{self.name}: C-ECHO 0x{status:04X} from {self._peer}")
        return f"{self.name}: C-ECHO 0x0000 from {self._peer} in {(time.monotonic() - started) * 1000:.0f} ms"

    def probe(self, trial: Sequence[ResultObject] = (), last: Refused = MappingProxyType({})) -> Capabilities:
        """Return what the peer takes, learned from one association; from another wherever a test object ends it.

        Parameters
        ----------
        trial
            Objects of a test patient; each that could be sent is stored, and what the peer said is told.
        last
            What deliveries try after all else.

        Raises
        ------
        DeliveryError
            There is no association.
        """
        waiting = [one for one in trial if self.takes(one) and one.form in self._order]
        kinds = [kind for kind in KINDS if self._wants(kind)]
        tried: list[Tried] = []
        while True:
            with self._association(everything()) as assoc:
                while waiting:
                    tried.append(self._tried(assoc, waiting.pop(0), len(tried) + 1))
                    if not assoc.is_established:
                        break
                else:
                    return capabilities(assoc, self._order, kinds, tuple(tried), last)

    def _tried(self, assoc: Association, result: ResultObject, message_id: int) -> Tried:
        is_accepted = accepted_context(assoc, result) is not None
        try:
            accepted = self._store(assoc, result, message_id)
        except RejectedError as error:
            return Tried(result.kind, result.form, REFUSED if is_accepted else NOT_ACCEPTED, str(error))
        except DestinationUnavailableError as error:
            return Tried(result.kind, result.form, LATER if assoc.is_established else ENDED, str(error))
        said = f"{accepted.proof}, {accepted.warning}" if accepted.warning else accepted.proof
        return Tried(result.kind, result.form, WARNED if accepted.warning else TAKEN, said, accepted.warning)

    @property
    def _order(self) -> tuple[str, ...]:
        return (*self.forms, "")  # what has no other form, and pictures as they are

    def _wants(self, kind: str) -> bool:
        return not self.kinds or kind in {*self.kinds, REJECTION}

    @property
    def _peer(self) -> str:
        return f"{self.called_ae} at {self.host}:{self.port}"

    @contextmanager
    def _association(self, proposed: list[PresentationContext]) -> Iterator[Association]:
        assoc = self._requested(proposed)
        if not assoc.is_established:
            self._explain(assoc, proposed)
        try:
            yield assoc
        finally:
            assoc.release()

    def _requested(self, proposed: list[PresentationContext]) -> Association:
        ae = AE(self.calling_ae)
        ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = self.timeout_s
        handlers: list[evt.EventHandlerType] = [
            *SOCKET_TUNING,
            (evt.EVT_ESTABLISHED, pause_reactor),
            (evt.EVT_CONN_OPEN, limit_writes, [self.timeout_s]),
        ]
        try:
            return ae.associate(self.host, self.port, proposed, ae_title=self.called_ae, evt_handlers=handlers)
        except OSError as error:  # the host name has no address
            raise DestinationUnavailableError(
                f"{self.name}: {self._peer}: the host name has no address: {error.strerror}"
            ) from error

    def _explain(self, assoc: Association, proposed: list[PresentationContext]) -> None:
        """Raise why there is no association."""
        answer = assoc.acceptor.primitive
        if answer is None:
            raise DestinationUnavailableError(
                f"{self.name}: {self._peer}: no connection, or no answer within {self.timeout_s:g} s"
            )
        if assoc.is_rejected:
            # Nothing is wrong with the objects: once the AE title is registered, the queue drains by itself.
            raise DestinationUnavailableError(
                f"{self.name}: {self._peer} rejected the association of {self.calling_ae}: "
                f"{answer.result_str}, {answer.source_str}, {answer.reason_str} (PS3.8 9.3.4)",
                retry_after_s=SLOWLY_S if answer.result == PERMANENT else None,
            )
        raise RejectedError(f"{self.name}: {self._peer} accepts none of: {spoken(proposed)} (PS3.8 9.3.3.2)")

    def _store(self, assoc: Association, result: ResultObject, message_id: int) -> Acceptance:
        about = f"{self.name}: {result.kind}"
        accepted = accepted_context(assoc, result)
        if accepted is None:
            proposed = spoken(contexts([result]))
            raise RejectedError(f"{about}: {self._peer} does not accept {proposed} (PS3.8 9.3.3.2)")
        context_id, transfer_syntax = accepted
        data_set = _data_set(about, result, transfer_syntax)
        status = send(assoc, store_request(result, data_set, message_id), context_id)
        if status is None:
            raise DestinationUnavailableError(
                f"{about}: {self._peer} ended the association or was silent for {self.timeout_s:g} s"
            )
        taken, meaning = verdict(status)
        said = f"C-STORE 0x{status:04X}"
        if taken is Verdict.LATER:
            raise DestinationUnavailableError(f"{about}: {said}, {meaning}")
        if taken is Verdict.NEVER:
            raise RejectedError(f"{about}: {said}, {meaning}")
        sent_as = "" if transfer_syntax == result.transfer_syntax_uid else f" as {UID(transfer_syntax).name}"
        return Acceptance(result.kind, result.uid, said + sent_as, warning="" if taken is Verdict.TAKEN else meaning)


def _data_set(about: str, result: ResultObject, transfer_syntax: str) -> bytes:
    """Return the recorded data set as it is, or in the default transfer syntax where the peer wants that."""
    data_set = encoded_data_set(result)
    if data_set is None:
        raise RejectedError(f"{about}: not a Part 10 file with a group length (PS3.10 7.1)")
    if transfer_syntax == result.transfer_syntax_uid:
        return data_set
    try:
        return implicit_vr(data_set)
    except ValueError as error:
        raise RejectedError(f"{about}: cannot be sent as {UID(transfer_syntax).name}: {error}") from error
