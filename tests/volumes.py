"""A small model of volumes and series of CT slices, made where a test needs them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pydicom
from onnx import TensorProto, helper, numpy_helper

from inference.models.folder import sha256_of
from tests.conftest import package_file

# Of every made slice; a nodule of bone in soft tissue and air
NODULE_HU, SLICES, GAP_MM = 2000, 12, 3.0

CARD = """
name = "{name}"
version = "{version}"
intended_use = "Tests: dense places in a CT."
explanation = {{ value = "130402", scheme = "DCM", meaning = "Class activation" }}

[weights]
kind = "onnx"
file = "model.onnx"
sha256 = "{sha256}"

[input]
kind = "volume"
modalities = {modalities}
body_parts = ["CHEST", "HEAD"]
size = [8, 32, 32]
spacing_mm = [5.0, 2.6, 2.6]
window = [-1000.0, 2000.0]
range = [0.0, 1.0]

[[findings]]
name = "nodule"
code = {{ value = "27925004", scheme = "SCT", meaning = "Nodule" }}
site = {{ value = "39607008", scheme = "SCT", meaning = "Lung" }}
threshold = {threshold}
"""


def volume_model(
    folder: Path,
    name: str = "nodules",
    version: str = "1.0",
    threshold: float = 0.5,
    modalities: Sequence[str] = ("CT",),
) -> Path:
    """Write a network that finds what is dense: its map is the mean of 27 voxels above a level, its logit the mean."""
    folder.mkdir(parents=True)
    weights = {
        "kernel": np.full((1, 1, 3, 3, 3), 1 / 27, np.float32),
        "level": np.array([-0.8], np.float32),
        "gain": np.array(20000.0, np.float32),
        "bias": np.array(-3.0, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["films", "kernel", "level"], ["dense"], pads=[1] * 6),
        helper.make_node("Relu", ["dense"], ["above"]),
        helper.make_node("Mul", ["above", "gain"], ["cams"]),
        helper.make_node("ReduceMean", ["cams"], ["mean"], axes=[2, 3, 4], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("films", TensorProto.FLOAT, ["n", 1, 8, 32, 32])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("cams", TensorProto.FLOAT, ["n", 1, 8, 32, 32]),
        ],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    digest = sha256_of(folder / "model.onnx")
    text = CARD.format(
        name=name, version=version, sha256=digest, threshold=threshold, modalities=json.dumps(list(modalities))
    )
    (folder / "card.toml").write_text(text)
    return folder


def ct_series(
    folder: Path,
    study: int,
    series: int = 1,
    nodule: Sequence[int] = (7, 8, 9, 10),
    axes: Sequence[float] = (1, 0, 0, 0, 1, 0),
    **elements: object,
) -> list[Path]:
    """Write a CT series of real pixels, one file a slice from the first along the normal.

    Parameters
    ----------
    nodule
        Numbers of the slices, from 0, in which something dense lies at rows 40 to 70, columns 60 to 90.
    axes
        ImageOrientationPatient.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = package_file("CT_small.dcm")
    normal = np.cross(axes[:3], axes[3:])
    files = []
    for number in range(SLICES):
        made = pydicom.dcmread(source)
        values = made.pixel_array.copy()
        if number in nodule:
            values[40:70, 60:90] = NODULE_HU - int(made.RescaleIntercept)
        made.PixelData = values.tobytes()
        made.StudyInstanceUID = f"2.25.4711.{study}"
        made.SeriesInstanceUID = f"2.25.4711.{study}.{series}"
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"2.25.4711.{study}.{series}.{number + 1}"
        made.ImageOrientationPatient = [float(part) for part in axes]
        made.ImagePositionPatient = (np.array([-40.0, -30.0, -75.0]) + normal * GAP_MM * number).round(5).tolist()
        # As scanners do: the first image lies at the head
        made.InstanceNumber, made.SeriesNumber = SLICES - number, series
        made.SliceLocation, made.BodyPartExamined, made.PatientID = None, "CHEST", f"P{study}"
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        files.append(folder / f"{study}-{series}-{number:02}.dcm")
        made.save_as(files[-1], enforce_file_format=True)
    return files


def changed(file: Path, **elements: object) -> Path:
    """Set elements of a slice; None removes one."""
    dataset = pydicom.dcmread(file)
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(file)
    return file


def inverted(file: Path) -> Path:
    """Store a slice as MONOCHROME1: the values stay, what a display shows of them is turned round."""
    return changed(file, PhotometricInterpretation="MONOCHROME1")
