"""The spool: every instance that was ever acknowledged, as it arrived.

::

    incoming/<receiver>/           being received; emptied when that receiver starts
    studies/<key[:2]>/<key>/<instance>.<sha256>.dcm

Names are digests: no identity, nothing that a sender chose becomes a path.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.durable import durable_folder, sync_folder
from dicom_node.errors import NotAnInstanceError
from dicom_node.observe import events
from dicom_node.observe.events import FileSetAside, say
from dicom_node.spool.header import MISMATCH, content_digest, data_set_offset, read_header
from dicom_node.study import ReceivedInstance, study_key
from inference.whole_files import sync_file

_DAMAGED = ".damaged"


@dataclass(frozen=True)
class Kept:
    """What became of an instance that arrived.

    Attributes
    ----------
    again
        The very same bytes were here already.
    """

    instance: ReceivedInstance
    again: bool


@dataclass(frozen=True)
class Spool:
    """Folder of received instances.

    Attributes
    ----------
    reserve_bytes
        Free space below which nothing more is taken.
    is_own
        Tells from a header whether this node made the instance.
    """

    root: Path
    reserve_bytes: int
    is_own: Callable[[Dataset], bool]

    def __post_init__(self) -> None:
        durable_folder(self.root / "studies")

    def incoming(self, receiver: str) -> Path:
        """Return an empty folder for one receiver's temporary files, on the spool's file system."""
        folder = self.root / "incoming" / receiver
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @property
    def is_full(self) -> bool:
        """True when free space is below the reserve."""
        return shutil.disk_usage(self.root).free < self.reserve_bytes

    def keep(self, arrived: Path, *, expected_sop_class: str) -> Kept:
        """Make an arrived Part 10 file durable and return what it is; the temporary name is gone after it.

        Raises
        ------
        NotAnInstanceError
            The file is not an instance, or of another SOP class than was announced (0xA900).
        OSError
            The disk is full or broken.
        """
        header = read_header(arrived)
        if str(header.SOPClassUID) != expected_sop_class:
            raise NotAnInstanceError(
                MISMATCH, "SOPClassUID differs from the Affected SOP Class UID of the request (PS3.4 B.2.3)"
            )
        digest = content_digest(arrived)
        final = self._path(header, digest)
        # Whatever an instance may hold has shown itself by now: nothing that the start-up scan could trip over
        # gets a name in the spool.
        instance = self._instance(header, final, digest, arrived.stat().st_size)
        durable_folder(final.parent)
        again = final.exists()
        if again:
            # Nobody knows how the sync of what stands there ended, and an error is told once: a second sync of these
            # bytes may succeed although they are on no disk. Those that came now take their place, once they are.
            _label_as(final, arrived, digest)
            sync_file(arrived)
        # Rename first: the one flush then covers name and bytes on a journalling file system.
        arrived.rename(final)
        sync_file(final)
        return Kept(instance, again)

    def sync(self, study_uids: Collection[str]) -> None:
        """Make the names of these studies' instances durable; done before a study may be sealed."""
        for uid in study_uids:
            sync_folder(self._folder(uid))

    def path(self, instance_path: str) -> Path:
        """Return the file of an instance that the index names."""
        return self.root / instance_path

    def unknown(self, known: Callable[[str], Collection[str]]) -> Iterator[ReceivedInstance]:
        """Yield instances that no index row names: acknowledged, or nearly so, when a receiver was killed.

        Parameters
        ----------
        known
            Given the start of an instance path, the paths with that start that the index has.

        Notes
        -----
        A file whose content does not match its name is set aside as ``.damaged``.
        """
        for group in sorted((self.root / "studies").iterdir()):
            there = known(f"{group.relative_to(self.root)}/")
            for file in sorted(group.glob("*/*.dcm")):
                if str(file.relative_to(self.root)) not in there and (found := self._recover(file)):
                    yield found

    def _recover(self, file: Path) -> ReceivedInstance | None:
        digest = file.name.split(".")[1]
        try:
            if content_digest(file) != digest:
                self._set_aside(file, digest)
                return None
            found = self._instance(read_header(file), file, digest, file.stat().st_size)
            sync_file(file)
            sync_folder(file.parent)
        except NotAnInstanceError as error:
            file.rename(file.with_suffix(_DAMAGED))
            say(FileSetAside(file.parent.name, str(error)))
            return None
        except OSError as error:
            # The disk, not the file: the next start looks again.
            say(FileSetAside(file.parent.name, events.name_of(error)))
            return None
        return found

    def _set_aside(self, file: Path, digest: str) -> None:
        """Take from its name what does not match it: a power cut came before it was durable, most likely.

        It was never acknowledged then. A person may look all the same.
        """
        aside = file.with_suffix(_DAMAGED)
        file.rename(aside)
        if content_digest(aside) == digest:
            aside.rename(file)  # a receiver took the same bytes meanwhile, and acknowledged them
            return
        say(FileSetAside(file.parent.name, "content does not match its name"))

    def _folder(self, study_uid: str) -> Path:
        key = study_key(study_uid)
        return self.root / "studies" / key[:2] / key

    def _path(self, header: Dataset, digest: str) -> Path:
        instance = hashlib.sha256(str(header.SOPInstanceUID).encode()).hexdigest()[:16]
        return self._folder(str(header.StudyInstanceUID)) / f"{instance}.{digest}.dcm"

    def _instance(self, header: Dataset, file: Path, digest: str, size: int) -> ReceivedInstance:
        return ReceivedInstance(
            study_uid=str(header.StudyInstanceUID),
            series_uid=str(header.SeriesInstanceUID),
            sop_uid=str(header.SOPInstanceUID),
            sop_class_uid=str(header.SOPClassUID),
            transfer_syntax_uid=_plain(header.file_meta.TransferSyntaxUID, 64),
            modality=_plain(header.get("Modality") or "", 16),
            sha256=digest,
            path=str(file.relative_to(self.root)),
            size=size,
            stored_at=time.time(),
            own=self.is_own(header),
        )


def _label_as(kept: Path, arrived: Path, digest: str) -> None:
    """Give a file the file meta information of a sound one with the same data set.

    Whoever sends an instance again may label it wrongly: what the first one said of it stands.
    """
    label = _label_of(kept)
    with arrived.open("rb") as file:
        if label in (b"", file.read(data_set_offset(arrived))) or not _is_sound(kept, digest):
            return
        relabelled = arrived.with_suffix(".relabelled")
        with relabelled.open("wb") as target:
            target.write(label)
            shutil.copyfileobj(file, target)
    relabelled.replace(arrived)


def _label_of(kept: Path) -> bytes:
    """Return the file meta information of a file with what stands before it; empty where the disk does not give it."""
    with suppress(OSError), kept.open("rb") as file:
        return file.read(data_set_offset(kept))
    return b""


def _is_sound(kept: Path, digest: str) -> bool:
    with suppress(OSError):
        return content_digest(kept) == digest
    return False


def _plain(value: object, longest: int) -> str:
    """Return text that any database takes, whatever a sender put there."""
    return "".join(character for character in str(value) if character.isprintable())[:longest]
