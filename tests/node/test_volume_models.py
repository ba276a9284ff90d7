"""Models of volumes in the node: a series is one volume, and its result names what was read."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_node.films import Source
from dicom_node.node import Node
from dicom_node.pipeline import Pipeline, Reading
from dicom_node.spool.header import content_digest, read_header
from inference.models import VolumeModel, load_any
from inference.types import Prediction
from structured_reports.port import Refusal
from tests.running import pacs, running_node, send
from tests.unit.dicom_node.test_roster import copied, settings_with, table
from tests.volumes import GAP_MM, SLICES, changed, ct_series, inverted, volume_model

pytestmark = pytest.mark.timeout(300)

# The middle of what is dense in the made series, number of the slice from 0
PEAKS = (7, 8, 9, 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return volume_model(tmp_path_factory.mktemp("models") / "nodules")


@pytest.fixture(scope="module")
def pipeline(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    tables = table(folder, 'when = { Modality = ["CT"] }')
    with Node(settings_with(tmp_path_factory.mktemp("node"), tables)).pipeline("cpu", "serial") as running:
        yield running


def sources_of(files: Sequence[Path]) -> list[Source]:
    return [Source(content_digest(file), file, series_uid=read_header(file).SeriesInstanceUID) for file in files]


def reading(pipeline: Pipeline, files: Sequence[Path]) -> Reading:
    (one,) = pipeline.read(sources_of(files), made_at=datetime(2026, 11, 24, tzinfo=UTC), generation=1).readings
    return one


def refusal(pipeline: Pipeline, files: Sequence[Path]) -> Refusal:
    outcome = reading(pipeline, files).outcome
    assert isinstance(outcome, Refusal)
    return outcome


def score_of(one: Reading) -> float:
    assert isinstance(one.outcome, Prediction), one.outcome
    return one.outcome.scores[0].score


def objects(one: Reading) -> dict[str, pydicom.Dataset]:
    return {each.kind: pydicom.dcmread(io.BytesIO(each.content)) for each in one.objects if each.sop_class_uid}


def named_in(evidence: pydicom.Dataset, series_uid: str) -> set[str]:
    (study,) = evidence.CurrentRequestedProcedureEvidenceSequence
    return {
        each.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        if series.SeriesInstanceUID == series_uid
        for each in series.ReferencedSOPSequence
    }


def test_a_series_that_arrives_in_any_order_becomes_one_result_that_names_every_slice(
    folder: Path, tmp_path: Path
) -> None:
    files = ct_series(tmp_path / "ct", 1)
    random.Random(3).shuffle(files)
    copies = f'[[destination]]\nkind = "folder"\nname = "copies"\ndirectory = "{tmp_path / "copies"}"\n'
    with pacs() as peer, running_node(tmp_path / "node", tables=table(folder) + peer.destination() + copies) as node:
        for file in files:
            assert send(node.port, file) == 0x0000
        (generation,) = node.delivered("2.25.4711.1")["generations"]

    (read,) = generation["readings"]
    assert ("nodules 1.0", True) == (read["model"], read["scores"]["nodule"]["above"])
    results = {one.Modality: one for one in peer.datasets() if one.Modality == "SR"}
    assert {("P1", "2.25.4711.1")} == {(one.PatientID, one.StudyInstanceUID) for one in peer.datasets()}
    assert {f"2.25.4711.1.1.{number}" for number in range(1, SLICES + 1)} == named_in(results["SR"], "2.25.4711.1.1")
    (bundle,) = [json.loads(file.read_text()) for file in (tmp_path / "copies").rglob("*.json")]
    (study,) = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "ImagingStudy"]
    assert SLICES == len(next(one for one in study["series"] if one["uid"] == "2.25.4711.1.1")["instance"])


def test_the_score_is_the_one_that_predict_gives(pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    files = ct_series(tmp_path, 2, nodule=(8,))
    model = load_any(folder)
    assert isinstance(model, VolumeModel)
    (expected,) = model.predict([model.prepare([pydicom.dcmread(file) for file in files])])

    found = score_of(reading(pipeline, files[::-1]))

    assert pytest.approx(float(expected.scores[0]), abs=1e-6) == found
    assert found < score_of(reading(pipeline, ct_series(tmp_path / "dense", 2)))


def test_above_the_threshold_the_slice_of_the_peak_is_shown_and_the_region_lies_on_the_finding(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    one = reading(pipeline, ct_series(tmp_path, 3))

    shown = pydicom.dcmread(one.source.path)
    number = int(str(shown.SOPInstanceUID).rsplit(".", 1)[1]) - 1
    assert number in PEAKS
    report = objects(one)["report"]
    assert f"slice {number + 1} of {SLICES} from the feet, at {-75.0 + GAP_MM * number:.1f} mm" in " ".join(
        each.TextValue for each in report.ContentSequence if each.ValueType == "TEXT"
    )
    measurements = next(each for each in report.ContentSequence if each.get("ContentSequence") and
                        each.ConceptNameCodeSequence[0].CodeValue == "126010")  # fmt: skip
    (region,) = [each for each in measurements.ContentSequence[0].ContentSequence if each.ValueType == "SCOORD"]
    points = np.array(region.GraphicData).reshape(-1, 2)
    assert shown.SOPInstanceUID == region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert np.allclose((75, 55), points.mean(axis=0), atol=6)
    heatmap = objects(one)["heatmap"]
    assert (128, 128, shown.SOPInstanceUID) == (
        heatmap.Rows, heatmap.Columns, heatmap.SourceImageSequence[0].ReferencedSOPInstanceUID,
    )  # fmt: skip


def test_below_the_threshold_the_middle_slice_is_shown_without_region(pipeline: Pipeline, tmp_path: Path) -> None:
    one = reading(pipeline, ct_series(tmp_path, 4, nodule=()))

    made = objects(one)
    assert {"summary", "report"} == set(made)
    assert (SLICES - 1) // 2 + 1 == int(str(pydicom.dcmread(one.source.path).SOPInstanceUID).rsplit(".", 1)[1])
    assert "SCOORD" not in str(made["report"])
    assert "Chest" not in made["report"].ConceptNameCodeSequence[0].CodeMeaning


def test_a_study_of_two_series_is_read_series_by_series(pipeline: Pipeline, tmp_path: Path) -> None:
    files = [*ct_series(tmp_path, 5, 1, nodule=()), *ct_series(tmp_path, 5, 2)]
    random.Random(5).shuffle(files)

    one = reading(pipeline, files)

    assert score_of(one) == score_of(reading(pipeline, ct_series(tmp_path / "alone", 5, 2)))
    assert "2.25.4711.5.2" == pydicom.dcmread(one.source.path).SeriesInstanceUID
    assert not named_in(objects(one)["report"], "2.25.4711.5.1")


def test_monochrome1_changes_what_is_shown_and_not_what_is_read(pipeline: Pipeline, tmp_path: Path) -> None:
    plain = reading(pipeline, ct_series(tmp_path / "2", 6))
    turned = reading(pipeline, [inverted(file) for file in ct_series(tmp_path / "1", 6)])

    assert score_of(plain) == score_of(turned)
    assert objects(plain)["summary"].PixelData != objects(turned)["summary"].PixelData


def test_an_oblique_series_is_read_where_it_lies(pipeline: Pipeline, tmp_path: Path) -> None:
    tilt = np.deg2rad(20)
    axes = (1, 0, 0, 0, float(np.cos(tilt)), float(np.sin(tilt)))

    one = reading(pipeline, ct_series(tmp_path, 7, axes=axes))

    assert score_of(one) > 0.5
    assert int(str(pydicom.dcmread(one.source.path).SOPInstanceUID).rsplit(".", 1)[1]) - 1 in PEAKS


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("a missing slice", "geometry", "gaps of 3.000 to 6.000 mm"),
        ("a doubled slice", "geometry", "gaps of 0.000 to 3.000 mm"),
        ("a localizer among them", "localizer", "ImageType: LOCALIZER; the model reads series of slices"),
        ("a slice of another orientation", "geometry", "ImageOrientationPatient: differs"),
        ("a tilted gantry", "geometry", "as under a tilted gantry"),
        ("a slice of another place", "identity", "FrameOfReferenceUID: differs within the series"),
        ("a slice without pixels", "pixels", "PixelData"),
        ("a slice alone", "geometry", "1 slice; a volume needs two"),
        ("the wrong part of the body", "body-part", "BodyPartExamined: KNEE"),
    ],
)
def test_a_series_that_is_no_volume_is_refused_with_the_reason(
    pipeline: Pipeline, tmp_path: Path, name: str, code: str, said: str
) -> None:
    files = spoiled(name, ct_series(tmp_path, 8))

    found = refusal(pipeline, files)

    assert code == found.code
    assert said in found.reason
    assert "P8" not in found.reason


def test_a_slice_of_another_patient_leaves_its_study_unread(pipeline: Pipeline, tmp_path: Path) -> None:
    files = ct_series(tmp_path, 8)
    changed(files[5], PatientID="P9")

    study = pipeline.read(sources_of(files), made_at=datetime(2026, 11, 24, tzinfo=UTC), generation=1)

    assert study.refusal is not None
    assert ((), "identity") == (study.readings, study.refusal.code)
    assert "P9" not in study.refusal.reason


def spoiled(name: str, files: list[Path]) -> list[Path]:
    fifth = pydicom.dcmread(files[5])
    if name == "a missing slice":
        return [*files[:5], *files[6:]]
    if name == "a doubled slice":
        changed(files[6], ImagePositionPatient=fifth.ImagePositionPatient)
        return files[:7]
    if name == "a localizer among them":
        changed(files[5], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    if name == "a slice of another orientation":
        changed(files[5], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    if name == "a tilted gantry":
        for number, file in enumerate(files):
            changed(file, ImagePositionPatient=[-40.0, -30.0 + number, -75.0 + GAP_MM * number])
    if name == "a slice of another place":
        changed(files[5], FrameOfReferenceUID="2.25.9")
    if name == "a slice without pixels":
        changed(files[5], PixelData=None)
    if name == "the wrong part of the body":
        return [changed(file, BodyPartExamined="KNEE") for file in files]
    return files[5:6] if name == "a slice alone" else files


def test_a_late_slice_that_closes_the_gap_makes_a_second_result(folder: Path, tmp_path: Path) -> None:
    files = ct_series(tmp_path / "ct", 10)
    late = files.pop(5)
    with pacs() as peer, running_node(tmp_path / "node", tables=table(folder) + peer.destination()) as node:
        for file in files:
            assert send(node.port, file) == 0x0000
        first = node.delivered("2.25.4711.10")["generations"][0]
        assert send(node.port, late) == 0x0000
        second = node.delivered("2.25.4711.10", generation=2)["generations"][1]

    assert "geometry" == first["reason_code"]
    assert second["readings"][0]["scores"]["nodule"]["above"]


@pytest.mark.peer
@pytest.mark.parametrize("body_part", ["CHEST", "HEAD", None])
@pytest.mark.parametrize("nodule", [PEAKS, ()], ids=["above", "below"])
def test_dciodvfy_finds_neither_error_nor_warning_in_what_is_made_of_a_ct(
    pipeline: Pipeline, tmp_path: Path, nodule: Sequence[int], body_part: str | None
) -> None:
    one = reading(pipeline, ct_series(tmp_path, 13, nodule=nodule, BodyPartExamined=body_part))

    kinds = {each.kind for each in one.objects if each.sop_class_uid}
    assert {"summary", "report"} | ({"heatmap"} if nodule else set()) == kinds
    for each in (each for each in one.objects if each.sop_class_uid):
        assert [] == complaints(tmp_path / f"{each.kind}.dcm", each.content)


@pytest.mark.peer
def test_dciodvfy_finds_neither_error_nor_warning_in_what_is_made_of_a_real_series(
    pipeline: Pipeline, test_data: Path, tmp_path: Path
) -> None:
    one = reading(pipeline, sorted((test_data / "dicom" / "dicomdir").glob("98892001_CT5N_*")))

    assert isinstance(one.outcome, Prediction), one.outcome
    # Identity is passed on byte for byte: a name that is dubious in the source is dubious in its result.
    known = complaints(tmp_path / "source.dcm", one.source.path.read_bytes())
    for each in (each for each in one.objects if each.sop_class_uid):
        found = complaints(tmp_path / f"{each.kind}.dcm", each.content)
        assert [] == [line for line in found if line not in known or "PatientName" not in line]


def complaints(file: Path, content: bytes) -> list[str]:
    if shutil.which("dciodvfy") is None:
        message = "dciodvfy is missing: install dicom3tools"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    file.write_bytes(content)
    said = subprocess.run(
        ["dciodvfy", "-new", str(file)], capture_output=True, text=True, errors="replace", check=False
    )
    return [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))]


def test_models_of_films_and_volumes_share_a_study_by_rule(folder: Path, chest_film: Path, tmp_path: Path) -> None:
    film = pydicom.dcmread(chest_film)
    film.StudyInstanceUID, film.SeriesInstanceUID, film.PatientID = "2.25.4711.11", "2.25.4711.11.9", "P11"
    film.save_as(tmp_path / "film.dcm")
    tables = table(folder, 'when = { Modality = ["CT"] }') + table(
        copied(tmp_path, "chest"), 'when = { Modality = ["CR"] }'
    )
    with Node(settings_with(tmp_path, tables)).pipeline("cpu", "serial") as running:
        sources = sources_of([tmp_path / "film.dcm", *ct_series(tmp_path / "ct", 11)])
        readings = running.read(sources, made_at=datetime(2026, 11, 24, tzinfo=UTC), generation=1).readings

    assert {"nodules 1.0", "chest 1.0.0"} == {one.model for one in readings}
    made = {one.model: objects(one)["report"] for one in readings}
    assert all(isinstance(one.outcome, Prediction) for one in readings)
    assert {film.SOPInstanceUID} == named_in(made["chest 1.0.0"], "2.25.4711.11.9")
    assert SLICES == len(named_in(made["nodules 1.0"], "2.25.4711.11.1"))


def test_several_models_of_one_finding_are_told_apart_in_the_list_of_series(tmp_path: Path) -> None:
    models = [volume_model(tmp_path / "a", "lung-alpha"), volume_model(tmp_path / "b", "lung-beta")]
    models.append(volume_model(tmp_path / "c", "lung-beta", "1.1"))
    with Node(settings_with(tmp_path, "".join(map(table, models)))).pipeline("cpu", "serial") as running:
        sources = sources_of(ct_series(tmp_path / "ct", 12))
        readings = running.read(sources, made_at=datetime(2026, 11, 24, tzinfo=UTC), generation=1).readings

    made = [each for one in readings for each in objects(one).values()]
    assert len(made) == len({each.SeriesNumber for each in made}) == len({each.SeriesDescription[:20] for each in made})
    assert all(each.SeriesNumber >= 9001 for each in made)
    assert ["alpha AI report nodule", "model 2 AI report nodule", "v1.1 AI report nodule"] == [
        objects(one)["report"].SeriesDescription for one in readings
    ]
    tracked = [tracking_uids(objects(one)["report"]) for one in readings]
    assert sum(map(len, tracked)) == len(set.union(*tracked))


def tracking_uids(report: pydicom.Dataset) -> set[str]:
    """Return the values of (112040, DCM, "Tracking Unique Identifier")."""

    def within(item: pydicom.Dataset) -> Iterator[str]:
        if item.ValueType == "UIDREF" and item.ConceptNameCodeSequence[0].CodeValue == "112040":
            yield item.UID
        for child in item.get("ContentSequence") or ():
            yield from within(child)

    return set(within(report))
