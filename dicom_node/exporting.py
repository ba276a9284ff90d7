"""One file, de-identified into a folder, in a decoding process: a file that kills its decoder kills only that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.reported import write_reported
from dicom_node.deidentify.reports import Reports
from dicom_node.deidentify.settings import VaultSettings
from dicom_node.deidentify.sources import Found
from dicom_node.deidentify.vault import Vault
from dicom_node.errors import NodeError, is_from_disk
from dicom_node.preprocess.decoders import DecoderDiedError, Decoders

# Of many gigabytes most is copying; a long loop is decoded and written anew.
_LONGEST_S = 900.0


@dataclass(frozen=True)
class Copy:
    """A de-identified instance in a folder.

    Attributes
    ----------
    path
        Under the folder.
    is_new
        False: it stood there already.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    is_new: bool = True


@dataclass(frozen=True)
class Kept:
    """An instance of which there is no copy, and why: a code and a sentence without any value of it."""

    code: str
    sentence: str


_DIED = Kept("decoder", "its pixels end or stop the process that decodes them")


@contextmanager
def exporting_process() -> Iterator[Decoders]:
    """Run the process of `export_apart` until the block ends."""
    decoders = Decoders(1, preload=("dicom_node.exporting",), limit_s=_LONGEST_S)
    decoders.warm()
    try:
        yield decoders
    finally:
        decoders.close()


def export_apart(
    process: Decoders,
    source: Found,
    folder: Path,
    reports: Path,
    deidentifier: Deidentifier,
    vault: VaultSettings | None,
) -> Copy | Kept:
    """Return what `export` does in a process of its own; what ends that process is kept too."""
    try:
        return process.run(export, source, folder, reports, deidentifier, vault)
    except DecoderDiedError:
        return _DIED


def export(
    source: Found, folder: Path, reports: Path, deidentifier: Deidentifier, vault: VaultSettings | None
) -> Copy | Kept:
    """Write the de-identified copy of a file.

    Parameters
    ----------
    reports
        Folder of the reports.
    deidentifier
        Without its vault, which cannot be handed to another process.

    Raises
    ------
    NodeError
        Folder or vault cannot be used, or a report not written.
    OSError
        The file cannot be read.
    """
    whole = replace(deidentifier, vault=_vault(vault)) if vault else deidentifier
    try:
        with source.open() as file:
            written = write_reported(file, whole, folder, _reports(reports))
    except RefusedError as refusal:
        return Kept(refusal.code, str(refusal))
    except NodeError:
        raise
    except Exception as error:  # what no reader foresaw is no better the next time: a person is to see it
        if is_from_disk(error):
            raise
        return Kept("malformed", f"cannot be de-identified ({type(error).__name__})")
    return Copy(written.path, written.instance, written.sop_class, written.transfer_syntax, written.is_new)


@lru_cache(maxsize=1)
def _vault(settings: VaultSettings) -> Vault:
    return settings.open()


@lru_cache(maxsize=16)
def _reports(folder: Path) -> Reports:
    return Reports(folder)
