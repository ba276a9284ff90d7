"""Brings de-identified copies of a study to research: a folder, or a PACS by way of a folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.reports import REPORTS
from dicom_node.deidentify.settings import VaultSettings
from dicom_node.deidentify.sources import Found
from dicom_node.deliver import Acceptance, DestinationUnavailableError, RejectedError
from dicom_node.deliver.errors import SLOWLY_S
from dicom_node.durable import durable_folder
from dicom_node.errors import NodeError, SettingsError
from dicom_node.exporting import Copy, Kept, export_apart
from dicom_node.ledger.generations import StoredInstance
from dicom_node.preprocess.decoders import Decoders
from dicom_node.research_settings import ResearchSettings
from dicom_node.routing import facts_of, matches
from dicom_node.settings import Settings
from dicom_node.spool.spool import Spool
from structured_reports.port import DICOM, ResultObject

# Of one association: what is in memory at once, the largest instance aside.
_BYTES_AT_ONCE = 64 << 20

_COPIES = "copies"


@dataclass(frozen=True)
class Route:
    """A configured route; what it needs was looked at when the node started.

    Attributes
    ----------
    deidentifier
        Without a vault: each decoding process opens that of the settings for itself.
    """

    settings: ResearchSettings
    deidentifier: Deidentifier
    vault: VaultSettings | None

    @classmethod
    def of(cls, settings: ResearchSettings, node: Settings) -> Route:
        """Return a route of the node's settings.

        Raises
        ------
        SettingsError
            A key is missing or weak, or the rules for pixels are wrong.
        StartError
            The vault cannot be used.
        """
        vault = node.deidentification.vault
        try:
            route = cls(settings, node.deidentification.deidentifier(settings.profile), vault)
            if vault:
                vault.require()
        except SettingsError as error:
            raise SettingsError(f"research {settings.name}: {error}") from error
        return route

    @property
    def name(self) -> str:
        """Name that people gave it."""
        return self.settings.name

    @property
    def copies(self) -> Path:
        """Folder of the copies. Those that wait for a PACS have one for each way in which they can be made.

        What waits there when profile or rules change would else be a conflict with what is made then.
        """
        if self.settings.pacs is None:
            return self.settings.directory
        profile, rules = self.deidentifier.profile, self.deidentifier.rules
        told = [self.name, profile.name, sorted(map(str, profile.options)), rules.model_dump_json()]
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return self.settings.directory / f"staging-{digest[:8]}"

    @property
    def reports(self) -> Path:
        """Folder of the reports."""
        return self.settings.directory / REPORTS

    def check(self) -> str:
        """Return one line for people about what was tried.

        Raises
        ------
        DeliveryError
            The PACS cannot be used.
        DestinationUnavailableError
            The folder cannot be written.
        """
        folder = self.settings.directory
        try:
            durable_folder(folder)
        except OSError as error:
            raise DestinationUnavailableError(f"{self.name}: {folder}: {error.strerror}") from error
        said = f"{self.name}: profile {self.deidentifier.profile.name}, {folder} can be written"
        said += ", vault opened" if self.vault else ", no vault"
        return f"{said}; {self.settings.pacs.check()}" if self.settings.pacs else said


@dataclass(frozen=True)
class Courier:
    """Takes the copies of a study along a route. Twice is once: the same instance gives the same copy."""

    route: Route
    spool: Spool
    decoders: Decoders

    def deliver(self, instances: Sequence[StoredInstance]) -> tuple[Acceptance, ...]:
        """De-identify the instances that the route means, and bring them where it leads.

        Raises
        ------
        DestinationUnavailableError
            Disk, vault or PACS; all is tried again later.
        RejectedError
            Some instance was refused; the others were taken.
        """
        made = [self._copied(one) for one in instances if self._means(one)]
        copies = [one for one in made if isinstance(one, Copy)]
        said = (Acceptance(_COPIES, "", self._brought(copies)),) if copies or not made else ()
        if kept := Counter(one for one in made if isinstance(one, Kept)):
            reasons = "; ".join(f"{number} × {one.code}: {one.sentence}" for one, number in kept.most_common())
            raise RejectedError(f"{self.route.name}: {kept.total()} of {len(made)} stay here: {reasons}", said)
        return said

    def _means(self, one: StoredInstance) -> bool:
        rule = self.route.settings.when
        return matches(rule, facts_of(self.spool.path(one.path), one.calling_ae, one.called_ae))

    def _copied(self, one: StoredInstance) -> Copy | Kept:
        source, route = Found(self.spool.path(one.path)), self.route
        try:
            return export_apart(self.decoders, source, route.copies, route.reports, route.deidentifier, route.vault)
        except OSError as error:
            raise DestinationUnavailableError(f"{route.name}: {error.strerror or type(error).__name__}") from error
        except NodeError as error:
            raise DestinationUnavailableError(f"{route.name}: {error}", retry_after_s=SLOWLY_S) from error

    def _brought(self, copies: Sequence[Copy]) -> str:
        if not copies:
            return "the rule of the route means no instance of this study"
        pacs, folder = self.route.settings.pacs, self.route.copies
        # No pseudonym: beside the study's own UID it would be a way back that no vault guards.
        number = f"{len(copies)} instance{'s' * (len(copies) > 1)}"
        if pacs is None:
            return f"{number} in {folder}"
        for batch in _batches(copies, folder):
            pacs.deliver([_to_send(one, folder) for one in batch])
            for one in batch:
                (folder / one.path).unlink(missing_ok=True)
        return f"{number}, C-STORE to {pacs.called_ae}"


def _batches(copies: Sequence[Copy], folder: Path) -> Iterator[list[Copy]]:
    batch: list[Copy] = []
    size = 0
    for one in copies:
        own = (folder / one.path).stat().st_size
        if batch and size + own > _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += own
    if batch:
        yield batch


def _to_send(one: Copy, folder: Path) -> ResultObject:
    content = (folder / one.path).read_bytes()
    return ResultObject(
        "instance", one.sop_instance_uid, DICOM, content, one.sop_class_uid, one.transfer_syntax_uid
    )  # fmt: skip
