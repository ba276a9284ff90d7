"""One instance, de-identified into a folder, in a decoding process: a file that kills its decoder kills only that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from dicom_node.deidentify.collection import write_reported
from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.reports import Reports
from dicom_node.deidentify.settings import VaultSettings
from dicom_node.deidentify.vault import Vault
from dicom_node.errors import NodeError


@dataclass(frozen=True)
class Copy:
    """A de-identified instance in a folder.

    Attributes
    ----------
    path
        Under the folder.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Kept:
    """An instance of which there is no copy, and why: a code and a sentence without any value of it."""

    code: str
    sentence: str


def export(
    source: Path, folder: Path, reports: Path, deidentifier: Deidentifier, vault: VaultSettings | None
) -> Copy | Kept:
    """Write the de-identified copy of an instance.

    Parameters
    ----------
    reports
        Folder of the reports.
    deidentifier
        Without its vault, which cannot be handed to another process.

    Raises
    ------
    NodeError
        The vault cannot be used, or a report not written.
    OSError
        The disk, not the instance.
    """
    whole = replace(deidentifier, vault=_vault(vault)) if vault else deidentifier
    try:
        with source.open("rb") as file:
            written = write_reported(file, whole, folder, _reports(reports))
    except RefusedError as refusal:
        return Kept(refusal.code, str(refusal))
    except (OSError, NodeError):
        raise
    except Exception as error:  # what no reader foresaw is no better the next time: a person is to see it
        return Kept("malformed", f"cannot be de-identified ({type(error).__name__})")
    return Copy(written.path, written.instance, written.sop_class, written.transfer_syntax)


@lru_cache(maxsize=1)
def _vault(settings: VaultSettings) -> Vault:
    return settings.open()


@lru_cache(maxsize=16)
def _reports(folder: Path) -> Reports:
    return Reports(folder)
