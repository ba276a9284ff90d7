"""References to instances by study and series (PS3.3 C.17.2.1, Hierarchical SOP Instance Reference Macro)."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from structured_reports.lifecycle import Reference


def hierarchical(references: Sequence[Reference]) -> list[Dataset]:
    """Return an item a study, in it an item a series, in it an item an instance; in the order of first mention."""
    by_series: dict[str, dict[str, list[Reference]]] = {}
    for one in dict.fromkeys(references):
        by_series.setdefault(one.study_uid, {}).setdefault(one.series_uid, []).append(one)
    return [_study(uid, series) for uid, series in by_series.items()]


def _study(uid: str, series: dict[str, list[Reference]]) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = uid
    item.ReferencedSeriesSequence = [_series(*one) for one in series.items()]
    return item


def _series(uid: str, references: list[Reference]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedSOPSequence = [_instance(one) for one in references]
    return item


def _instance(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item
