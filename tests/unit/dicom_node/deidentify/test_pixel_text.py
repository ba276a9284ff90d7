"""Text in pixels is seen, told by its place alone, and what a radiographer prints on a film is let pass."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, RLELossless

from dicom_node.deidentify.pixel_text import TextDetector, _reader, chosen_frames
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.settings import DeidentificationSettings
from dicom_node.errors import SettingsError
from tests.unit.dicom_node.deidentify.test_deidentified_files import DEIDENTIFIER, slice_of

LOOKING = replace(DEIDENTIFIER, detector=TextDetector())


def image(text: str, *, light: bool = True, side: int = 512, size: float = 0.6, frames: int = 1) -> bytes:
    """Return a CT file of noise with a text in its last frame."""
    random = np.random.default_rng(1)
    pixels = random.normal(1500, 60, (frames, side, side)).clip(0, 4095).astype(np.uint16)
    written = np.zeros((side, side), np.uint8)
    cv2.putText(written, text, (side // 16, side // 8), cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1, cv2.LINE_AA)
    pixels[-1][written > 127] = 4095 if light else 0
    dataset = pydicom.dcmread(io.BytesIO(slice_of()))
    dataset.Rows = dataset.Columns = side
    dataset.PixelData = pixels.tobytes()
    if frames > 1:
        dataset.NumberOfFrames = frames
    return saved(dataset)


def saved(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("side", [256, 512, 1024, 3000])
def test_a_name_in_the_pixels_is_seen_light_or_dark_in_any_size_of_image(
    tmp_path: Path, light: bool, side: int
) -> None:
    content = image("ZEISIG ADELE 27.11.1956", light=light, side=side, size=max(0.5, side / 1000))

    with pytest.raises(RefusedError) as refusal:
        LOOKING.write(io.BytesIO(content), tmp_path)

    assert "text" == refusal.value.code
    assert "something is written in the pixels" in str(refusal.value)
    assert "zeisig" not in str(refusal.value).casefold()
    assert not list(tmp_path.rglob("*.dcm"))


def test_the_last_frame_is_looked_at_too(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="something is written"):
        LOOKING.write(io.BytesIO(image("ZEISIG ADELE", frames=12)), tmp_path)


def test_of_many_frames_some_are_looked_at_the_first_and_the_last_among_them() -> None:
    assert [0] == list(chosen_frames(1))
    assert [0, 1, 2] == list(chosen_frames(3))
    assert {0, 99} < set(chosen_frames(100))
    assert 8 == len(chosen_frames(100))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels_are_looked_at(tmp_path: Path, syntax: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(image("ZEISIG ADELE")))
    dataset.compress(syntax, generate_instance_uid=False)

    with pytest.raises(RefusedError, match="something is written"):
        LOOKING.write(io.BytesIO(saved(dataset)), tmp_path)


@pytest.mark.parametrize("text", ["PORTABLE", "SUPINE  AP", "L", ""])
def test_what_a_radiographer_prints_is_let_pass(tmp_path: Path, text: str) -> None:
    content = image(text, side=1024, size=1.2)
    written = LOOKING.write(io.BytesIO(content), tmp_path)

    assert pydicom.dcmread(io.BytesIO(content)).PixelData == pydicom.dcmread(tmp_path / written.path).PixelData


def test_a_clinical_film_and_a_slice_are_let_pass(chest_film: Path, ct_slice: Path) -> None:
    for path in (chest_film, ct_slice):
        assert () == TextDetector().places(pydicom.dcmread(path).pixel_array)


def test_what_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO(image("")))
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    broken = saved(dataset)
    start = broken.rfind(b"\xff\x4f\xff\x51")
    broken = broken[: start + 6] + bytes(36) + broken[start + 42 :]  # the size of image and tiles

    with pytest.raises(RefusedError) as refusal:
        LOOKING.write(io.BytesIO(broken), tmp_path)
    assert "undecodable" == refusal.value.code


def test_burned_in_text_of_real_devices_is_seen(test_data: Path) -> None:
    for name in ("ct/gdcm-CT-MONO2-8-abdo.dcm", "us/JPGLosslessP14SV1_1s_1f_8b.dcm", "us/examples_rgb_color.dcm"):
        assert TextDetector().places(pydicom.dcmread(test_data / "dicom" / name).pixel_array), name


def test_without_the_extra_it_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    _reader.cache_clear()
    monkeypatch.setitem(sys.modules, "tesserocr", None)
    monkeypatch.setenv("DICOM_NODE_SITE_KEY", hashlib.sha256(b"a key of the tests").hexdigest())
    try:
        with pytest.raises(SettingsError, match="extra `ocr`"):
            DeidentificationSettings(look_for_text=True).deidentifier("basic")
    finally:
        _reader.cache_clear()
