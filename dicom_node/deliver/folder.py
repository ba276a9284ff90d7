"""Results as files in a folder."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from pydantic.dataclasses import dataclass
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicom_node.deliver.bundle import imaging_study_uid, parsed
from dicom_node.deliver.each import each
from dicom_node.deliver.errors import DestinationUnavailableError, RejectedError
from dicom_node.deliver.port import VALID_FROM_BIRTH, Acceptance, Kinds, Name
from dicom_node.durable import durable_write, sync_folder
from dicom_node.study import study_key
from structured_reports.port import DICOM, FHIR_JSON, PNG, REJECTION, ResultObject

SUFFIXES = {DICOM: ".dcm", FHIR_JSON: ".fhir.json", PNG: ".png"}

RULES = {
    errno.ENOENT: "the node makes this folder but not its parent, which may be a share that is not mounted",
    errno.EEXIST: "this must be a folder",
    errno.ENOTDIR: "this and all above it must be folders",
    errno.EACCES: "the node's user must be able to write there",
    errno.EPERM: "the node's user must be able to write there",
    errno.EROFS: "the node must be able to write there",
}

SAFE_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True, config=VALID_FROM_BIRTH)
class Folder:
    """A folder with one folder a study, named by the study's key; file modes follow the umask.

    Attributes
    ----------
    directory
        Made if missing; its parent is not, since a missing parent is more likely a share that is not mounted.
    """

    name: Name
    directory: Path
    kinds: Kinds = frozenset()

    @property
    def forms(self) -> tuple[str, ...]:
        return ()

    def takes(self, result: ResultObject) -> bool:
        is_wanted = not self.kinds or result.kind in {*self.kinds, REJECTION}
        return is_wanted and result.media_type in SUFFIXES and not result.alternative_to

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        folder = _study_folder(results)
        return each(results, lambda result: self._keep(result, folder))

    def check(self) -> str:
        probe = self.directory / f".probe-{secrets.token_hex(4)}"
        try:
            self.directory.mkdir(exist_ok=True)
            durable_write(probe, b"dicom-node")
            probe.unlink()
            free_gib = _free_bytes(self.directory) / 2**30
        except OSError as error:
            raise DestinationUnavailableError(f"{self.name}: {_fault(error, self.directory)}") from error
        return f"{self.name}: {self.directory} can be written, {free_gib:.1f} GiB free"

    def _keep(self, result: ResultObject, folder: str) -> Acceptance:
        if not SAFE_KIND.fullmatch(result.kind) or result.media_type not in SUFFIXES:
            raise RejectedError(f"{self.name}: {result.kind!r}: no kind and media type for a file name")
        study = self.directory / folder
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(exist_ok=True)  # not its parents: they are there, or a disk is not mounted
                sync_folder(self.directory.parent)
            study.mkdir(exist_ok=True)
            sync_folder(self.directory)
            names = [self._keep_file(study / name, content, result.kind) for name, content in _files(result)]
            sync_folder(study)
        except OSError as error:
            raise DestinationUnavailableError(f"{self.name}: {result.kind}: {_fault(error, study)}") from error
        return Acceptance(result.kind, result.uid, f"{folder}/{names[0]}")

    def _keep_file(self, path: Path, content: bytes, kind: str) -> str:
        if not path.exists():
            durable_write(path, content)
        elif path.read_bytes() != content:
            raise RejectedError(f"{self.name}: {kind}: {path.name} holds other bytes (one UID, one content)")
        return path.name


def _files(result: ResultObject) -> Iterator[tuple[str, bytes]]:
    # The UID comes from the object: only a digest of it may become a part of a path.
    stem = f"{result.kind}-{hashlib.sha256(result.uid.encode()).hexdigest()[:12]}"
    yield stem + SUFFIXES[result.media_type], result.content
    if result.picture is not None:
        yield stem + SUFFIXES[PNG], result.picture


def _study_folder(results: Sequence[ResultObject]) -> str:
    """Return the folder of the study that the results are about, or of the first result if none names one."""
    study_uids = [uid for result in results if (uid := _study_uid(result))]
    return study_key((study_uids or [result.uid for result in results] or [""])[0])


def _study_uid(result: ResultObject) -> str:
    try:
        if result.media_type == DICOM:
            ds = dcmread(BytesIO(result.content), stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
            return str(ds.get("StudyInstanceUID", ""))
        if result.media_type == FHIR_JSON:
            return imaging_study_uid(parsed(result.content))
    except (InvalidDicomError, ValueError):
        return ""
    return ""


def _fault(error: OSError, folder: Path) -> str:
    """Return path, fault and rule."""
    rule = RULES.get(error.errno or 0)
    path = error.filename or folder
    return f"{path}: {error.strerror}" + (f" ({rule})" if rule else "")


def _free_bytes(directory: Path) -> int:
    space = os.statvfs(directory)
    return space.f_bavail * space.f_frsize
