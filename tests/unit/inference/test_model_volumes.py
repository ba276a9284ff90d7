"""A model of volumes reads a series, one line each."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from model_folders import finding, write_card
from pydicom import dcmread
from test_volumes import series
from typer.testing import CliRunner

from inference import isolation
from inference.cli import app
from inference.errors import InvalidCardError, UnreadablePixelsError
from inference.isolation import DecodeProcess
from inference.models import VolumeModel, load_any, load_model
from inference.models.check import faults_of_folder
from inference.volume import to_volume
from inference.volume_preprocessing import VolumePreprocessing

torch = pytest.importorskip("torch")

REAL_SERIES = "1.3.6.1.4.1.5962.1.1.0.0.0.1194734704.16302.0.6"
VOLUME = {
    "kind": "volume", "modalities": ["CT"], "body_parts": ["CHEST", "ABDOMEN", "HEAD"], "size": [4, 12, 10],
    "spacing_mm": [2.5, 1.0, 1.0], "window": [-1000.0, 1000.0], "range": [0.0, 1.0],
}  # fmt: skip


class Mean(torch.nn.Module):
    """Says the mean level of a volume."""

    def forward(self, volumes):
        return volumes.mean((1, 2, 3, 4)).unsqueeze(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = torch.export.export(Mean(), (torch.zeros(2, 1, 4, 12, 10),),
                                  dynamic_shapes=({0: torch.export.Dim("films", min=1)},))  # fmt: skip
    torch.export.save(program, tmp_path / "m.pt2")
    return write_card(tmp_path, "m.pt2", "torch-export", [finding()], VOLUME)


def real_series(dicom_files: Path) -> list[Path]:
    return sorted((dicom_files / "dicomdir").glob("98892001_CT5N_*"))


def test_a_real_ct_series_is_read_end_to_end(folder: Path, dicom_files: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no slice")
    files = [str(file) for file in reversed(real_series(dicom_files))]

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--jsonl", *files, str(tmp_path / "note.txt")])

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert (0, [None, "format"]) == (result.exit_code, [line["refused"] for line in lines])
    assert (REAL_SERIES, 5) == (lines[0]["series"], lines[0]["slices"])
    model = load_any(folder)
    assert isinstance(model, VolumeModel)
    prepared = model.prepare([dcmread(file) for file in real_series(dicom_files)])
    expected = 1 / (1 + np.exp(-prepared.tensor.mean()))
    assert pytest.approx(expected, abs=1e-5) == lines[0]["scores"]["pneumonia"]


def test_every_voxel_of_the_grid_is_the_value_at_its_place() -> None:
    slices = series(6)
    # The grid of the series itself, shifted by what centring takes: no value is interpolated.
    preprocessing = VolumePreprocessing((4, 3, 5), (2.5, 0.8, 0.5), 0.0, 1.0, (-2000.0, 2000.0), orientation="LPS")

    prepared = preprocessing.prepare(slices)

    volume, map_ = to_volume(slices), prepared.place.image(prepared.tensor[0])
    for index in ((0, 0, 0), (4, 2, 3), (2, 1, 2)):
        point = map_.TransformIndexToPhysicalPoint(index)
        expected = (volume[volume.TransformPhysicalPointToIndex(point)] + 2000.0) / 4000.0
        assert pytest.approx(expected, abs=1e-5) == map_[index]


def test_outside_the_series_a_volume_is_black() -> None:
    preprocessing = VolumePreprocessing((10, 9, 9), (2.5, 0.8, 0.5), 0.5, 0.5, (-2000.0, 2000.0), channels=3)

    tensor = preprocessing.prepare(series(6)).tensor

    assert (3, 10, 9, 9) == tensor.shape
    assert (tensor[:, 0] == -1.0).all()
    assert tensor[:, 5].max() > -1.0


def test_a_map_of_cells_tiles_the_grid_in_the_patient() -> None:
    place = VolumePreprocessing((4, 4, 4), (2.5, 0.8, 0.5), 0.0, 1.0, (-2000.0, 2000.0)).prepare(series(6)).place

    fine, coarse = place.image(np.zeros((4, 4, 4))), place.image(np.zeros((2, 2, 2)))

    expected = fine.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
    assert pytest.approx(expected) == coarse.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
    expected = fine.TransformContinuousIndexToPhysicalPoint((3.5, 3.5, 3.5))
    assert pytest.approx(expected) == coarse.TransformContinuousIndexToPhysicalPoint((1.5, 1.5, 1.5))


def test_films_are_not_given_to_a_model_of_volumes(folder: Path) -> None:
    with pytest.raises(InvalidCardError, match=r"input\.kind: volume; films are read here"):
        load_model(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("size", [4, 12, 16], r"input\.size: \[4, 12, 16\], the network takes 4 × 12 × 10"),
        ("channels", 3, r"input\.channels: 3, the network takes 1"),
        ("orientation", "LRS", "one of L and R"),
        ("window", [10.0, -10.0], "two values in rising order"),
    ],
)
def test_a_card_of_a_volume_that_cannot_be_is_named(folder: Path, key: str, value: object, said: str) -> None:
    write_card(folder, "m.pt2", "torch-export", [finding()], {**VOLUME, key: value})

    (fault,) = faults_of_folder(folder)

    assert re.search(said, fault)


def test_equal_lengths_of_a_network_are_all_said(tmp_path: Path) -> None:
    program = torch.export.export(Mean(), (torch.zeros(1, 1, 4, 12, 12),))
    torch.export.save(program, tmp_path / "m.pt2")
    write_card(tmp_path, "m.pt2", "torch-export", [finding()], {**VOLUME, "size": [4, 12, 13]})

    (fault,) = faults_of_folder(tmp_path)

    assert "input.size: [4, 12, 13], the network takes 4 × 12 × 12" in fault


def test_nothing_is_wrong_with_a_sound_volume_model(folder: Path) -> None:
    assert list(faults_of_folder(folder)) == []


def test_an_enhanced_object_is_refused_for_its_frames(folder: Path, dicom_files: Path) -> None:
    card = (folder / "card.toml").read_text(encoding="utf-8")
    (folder / "card.toml").write_text(card.replace('"CT"', '"CT", "MR"').replace('"HEAD"', '"HEAD", "BRAIN"'), "utf-8")
    files = [str(dicom_files / name) for name in ("ct/eCT_Supplemental.dcm", "mr/emri_small.dcm")]

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--jsonl", *files])

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert (0, ["frames", "frames"]) == (result.exit_code, [line["refused"] for line in lines])
    assert all("a volume is made of slices of one frame each" in line["reason"] for line in lines)


def test_a_source_without_end_is_refused_and_the_series_is_read(
    folder: Path, dicom_files: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    files = [str(tmp_path / "fifo"), *map(str, real_series(dicom_files))]

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), "--jsonl", "--limit-s", "5", *files])

    read, refused = map(json.loads, result.stdout.splitlines())
    assert (1, None, 5, "hang") == (result.exit_code, read["refused"], read["slices"], refused["refused"])
    assert "file: not decoded after 5 s; its decoder was ended" == refused["reason"]


def end_here(file: Path) -> str:
    """End the process that reads a header, as hostile files might."""
    os._exit(9)


def test_a_file_that_ends_the_process_that_reads_its_header_is_refused(
    dicom_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file, *_) = real_series(dicom_files)
    with DecodeProcess.running() as process:
        with monkeypatch.context() as patched, pytest.raises(UnreadablePixelsError, match="file: damaged") as refusal:
            patched.setattr(isolation, "series_of", end_here)
            process.series_of(file)

        assert "pixels" == refusal.value.code
        assert REAL_SERIES == process.series_of(file)
