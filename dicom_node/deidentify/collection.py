"""Files of a collection, one after the other, with a report for each study."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dicom_node.deidentify.files import Deidentifier, Written
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.reports import Reports
from dicom_node.deidentify.sources import Found
from dicom_node.errors import NodeError

# Never images: said to be skipped, not refused.
_SKIPPED = frozenset({"directory"})


@dataclass
class Summary:
    """What became of the files of a run.

    Attributes
    ----------
    refused
        Each refused file with code and sentence.
    """

    written: int = 0
    before: int = 0
    skipped: int = 0
    refused: list[tuple[Found, str, str]] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)


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


def deidentify_one(found: Found, deidentifier: Deidentifier, target: Path, reports: Reports, summary: Summary) -> None:
    """De-identify one file of a collection, and count what became of it.

    Raises
    ------
    StartError
        Target, report or vault cannot be written: no other file will fare better.
    """
    try:
        with found.open() as source:
            written = write_reported(source, deidentifier, target, reports)
    except RefusedError as refusal:
        if refusal.code in _SKIPPED:
            summary.skipped += 1
        else:
            summary.refused.append((found, refusal.code, str(refusal)))
    except OSError as error:
        summary.refused.append((found, "unreadable", f"cannot be read ({type(error).__name__})"))
    except NodeError:
        raise
    except Exception as error:  # one file that no reader foresaw must not cost all the others
        summary.refused.append((found, "malformed", f"cannot be de-identified ({type(error).__name__})"))
    else:
        summary.rules.update(acted.rule for acted in written.acted)
        summary.written += written.is_new
        summary.before += not written.is_new


def _told(written: Written, deidentifier: Deidentifier) -> dict[str, object]:
    return {
        "instance": written.instance,
        "file": str(written.path),
        "profile": deidentifier.profile.name,
        "options": sorted(deidentifier.profile.options),
        "rules": [[acted.path, acted.rule] for acted in written.acted],
    }
