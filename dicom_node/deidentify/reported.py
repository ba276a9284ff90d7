"""One file, de-identified, with its line in the report of its study."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from dicom_node.deidentify.files import Deidentifier, Written
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.reports import Reports


def write_reported(source: BinaryIO, deidentifier: Deidentifier, target: Path, reports: Reports) -> Written:
    """De-identify an open file into a folder, and write what was done into the report of its study.

    Raises
    ------
    RefusedError
        The file is not written; that stands in the report too, where its study is known.
    StartError
        Target, report or vault cannot be written.
    """
    try:
        written = deidentifier.write(source, target)
    except RefusedError as refusal:
        if refusal.study:
            reports.add(refusal.study, {"refused": refusal.code, "reason": str(refusal)})
        raise
    # What stands there already may lack its line: a crash or a full disk came between the file and the report.
    if written.is_new or not reports.names(written.study, written.instance):
        reports.add(written.study, _told(written, deidentifier))
    return written


def _told(written: Written, deidentifier: Deidentifier) -> dict[str, object]:
    return {
        "instance": written.instance,
        "file": str(written.path),
        "profile": deidentifier.profile.name,
        "options": sorted(deidentifier.profile.options),
        "rules": [[acted.path, acted.rule] for acted in written.acted],
    }
