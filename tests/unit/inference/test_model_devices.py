"""A device has one name for every kind of model, and one that is not there is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from model_folders import write_card

from inference.card import read_card
from inference.errors import InvalidCardError, ModelError
from inference.models import DEFAULT_MODEL, load_model
from inference.models.check import faults_of_folder
from inference.models.device import driver_id, faults_of_device
from inference.models.onnx import provider_options
from inference.models.port import Runtime

torch = pytest.importorskip("torch")
from test_model_kinds import TWO, Pooled, exported  # noqa: E402 - only with torch


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_named(device: str, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    exported(Pooled(), tmp_path / "m.pt2")

    with pytest.raises(ModelError, match=f"device: {device}; this torch has cpu"):
        load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO), device=device)
    with pytest.raises(ModelError, match=f"device: {device}; this ONNX Runtime has cpu"):
        load_model(DEFAULT_MODEL, device=device)
    folder = write_card(tmp_path, "m.pt2", "torch-export", TWO, device={"kinds": ["cuda"]})
    assert ["device: cpu; the card names cuda"] == [each.split(": ", 1)[1] for each in faults_of_folder(folder)]


def test_a_card_for_a_kind_of_device_is_for_each_of_its_number(tmp_path: Path) -> None:
    exported(Pooled(), tmp_path / "m.pt2")
    folder = write_card(tmp_path, "m.pt2", "torch-export", TWO, device={"kinds": ["cuda"]})

    assert [] == faults_of_device(read_card(folder), Runtime("cuda:1"))


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CUDA", "cpu:0", "cuda:1 "])
def test_a_name_of_no_device_is_refused_by_every_kind(device: str, tmp_path: Path) -> None:
    exported(Pooled(), tmp_path / "m.pt2")
    folder = write_card(tmp_path, "m.pt2", "torch-export", TWO)

    for each in (folder, DEFAULT_MODEL):
        with pytest.raises(ModelError, match="the rule is cpu, cuda or cuda:N"):
            load_model(each, device)
    assert [f"{folder}: device: {device}; the rule is cpu, cuda or cuda:N"] == list(faults_of_folder(folder, device))


@pytest.mark.parametrize(("device", "number"), [("cuda", "0"), ("cuda:0", "0"), ("cuda:3", "3")])
def test_onnx_runtime_is_told_which_device_and_computes_there_in_full_precision(device: str, number: str) -> None:
    assert {"device_id": number, "use_tf32": "0"} == provider_options(Runtime(device))


@pytest.mark.parametrize(
    ("visible", "expected"), [(None, "1"), ("", "1"), ("2,3", "3"), ("GPU-aa, GPU-bb", "GPU-bb"), ("5", "1")]
)
def test_the_driver_is_asked_about_the_device_that_the_process_counts(visible: str | None, expected: str) -> None:
    assert expected == driver_id(1, visible)


def test_a_precision_is_none_of_a_graph_of_onnx(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))
    card = (folder / "card.toml").read_text(encoding="utf-8")
    (folder / "card.toml").write_text('device = { precision = { cuda = "bfloat16" } }\n' + card, encoding="utf-8")

    with pytest.raises(InvalidCardError, match=r"device\.precision: ONNX Runtime computes in the types"):
        load_model(folder)
