"""One UID, one content: what a result says is in its name."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.build import build_results
from structured_reports.header import read_header
from structured_reports.lifecycle import Cause, FormerResult, Reference
from structured_reports.part10 import sealed
from structured_reports.port import DICOM, Equipment, ReportRequest
from structured_reports.report import report

CHEST = Finding("pneumonia", Code("233604007", "SCT", "Pneumonia"), Code("39607008", "SCT", "Lung"), 0.5)
EQUIPMENT = Equipment("Maker", "Node", "0.1", "SN", "STATION", "2.25.99")


def source() -> Dataset:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "2.25.1"
    header.StudyInstanceUID, header.SeriesInstanceUID = "2.25.2", "2.25.3"
    header.PatientID, header.PatientName = "P1", "Doe^Jane"
    return header


def request(score: float, version: str, node: str, generation: int, minute: int, former: str) -> ReportRequest:
    card = ModelCard("model", version, "ab" * 32, (CHEST,), "Chest films only.")
    replaced = Reference("2.25.2", "2.25.8", "1.2.840.10008.5.1.4.1.1.88.33", f"2.25.{former}")
    return ReportRequest(
        source(),
        np.full((64, 48), 128, np.uint8),
        Prediction(card, (Score(CHEST, score, np.eye(64, 48, dtype=np.float32)),)),
        replace(EQUIPMENT, software_version=node),
        datetime(2026, 1, 2, 3, minute, tzinfo=UTC),
        generation,
        former=FormerResult("model 1", Cause.RERUN, (replaced,)) if former else None,
    )


# Few values of each, so that equal results are met as often as others
SAID = st.tuples(
    st.sampled_from([0.1, 0.4, 0.8, 0.8001, 0.9]),
    st.sampled_from(["1", "1.1"]),
    st.sampled_from(["0.1", "0.2"]),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1]),
    st.sampled_from(["", "7", "8"]),
)


@cache
def names(said: tuple[float, str, str, int, int, str]) -> dict[tuple[str, bytes], str]:
    """Return the UID of each object, by kind and bytes."""
    return {(one.kind, one.content): one.uid for one in build_results(request(*said))}


@settings(max_examples=60, deadline=None)
@given(SAID, SAID)
def test_two_results_share_the_name_of_an_object_exactly_where_they_share_its_bytes(one, other) -> None:
    for (kind, content), uid in names(one).items():
        same_kind = {key: name for key, name in names(other).items() if key[0] == kind}
        assert all((uid == name) == (content == bytes_of) for (_, bytes_of), name in same_kind.items())


@given(st.binary(min_size=2, max_size=6), st.binary(min_size=2, max_size=6), st.text("ab", max_size=3))
def test_pixels_and_words_are_told_apart_in_the_name(one: bytes, other: bytes, words: str) -> None:
    def named(pixels: bytes) -> str:
        header = read_header(source())
        dataset = deepcopy(header.text)
        del dataset.SOPInstanceUID  # which follows from all the rest
        dataset.set_original_encoding(False, True, ["iso8859"])
        dataset.ImageComments = words
        dataset.PixelData = even(pixels)
        dataset["PixelData"].VR = "OB"
        return sealed("summary", dataset, header).uid

    assert (named(one) == named(other)) == (even(one) == even(other))


def even(pixels: bytes) -> bytes:
    return pixels + b"\0" * (len(pixels) % 2)  # PS3.5 7.1


def test_the_report_changes_its_name_with_the_heatmap_that_it_refers_to() -> None:
    asked = request(0.9, "1", "0.1", 1, 0, "")
    built = {one.kind: one for one in build_results(asked) if one.media_type == DICOM}
    moved = {**built, "heatmap": replace(built["heatmap"], uid="2.25.12345")}

    assert report(asked, built).uid == built["report"].uid
    assert report(asked, moved).uid != built["report"].uid
