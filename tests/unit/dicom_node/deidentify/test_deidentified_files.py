"""Files go through whole or not at all: pixels byte for byte, everything else by the engine, and a report."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from dicom_node.deidentify import reading
from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.keys import make_key
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.rules import load_rules

DEIDENTIFIER = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))))
PIXELS = np.random.default_rng(1).integers(0, 4096, (16, 12), dtype="<u2").tobytes()
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def slice_of(number: int = 1, syntax: str = ExplicitVRLittleEndian, pixels: bytes = PIXELS) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.2", "1.2.826.0.3"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Zeisig^Adele", "ZX4711", "CT"
    dataset.ImageType, dataset.PhotometricInterpretation = ["ORIGINAL", "PRIMARY", "AXIAL"], "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 16, 12, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.add_new(0x7FE00010, "OW", pixels)
    if syntax == JPEGLSLossless:
        dataset["PixelData"].is_undefined_length = True
    dataset.add_new(0xFFFCFFFC, "OB", b"Zeisig")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.preamble = b"Zeisig^Adele".ljust(128, b"\0")
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pixels_are_kept_byte_for_byte_and_nothing_of_the_person(tmp_path: Path, syntax: str) -> None:
    written = DEIDENTIFIER.write(io.BytesIO(slice_of(syntax=syntax)), tmp_path)

    content = (tmp_path / written.path).read_bytes()
    made = pydicom.dcmread(io.BytesIO(content))
    assert made.PixelData == PIXELS
    assert made.PatientID != "ZX4711"
    assert content[:128] == bytes(128)
    assert b"Zeisig" not in content
    assert not list(tmp_path.rglob("*.part"))


def test_encapsulated_frames_are_kept_byte_for_byte(tmp_path: Path) -> None:
    frame = get_encoder(JPEGLSLossless).encode(
        PIXELS, rows=16, columns=12, samples_per_pixel=1, photometric_interpretation="MONOCHROME2",
        bits_allocated=16, bits_stored=12, pixel_representation=0, number_of_frames=1,
    )  # fmt: skip
    frames = encapsulate([frame, frame])
    written = DEIDENTIFIER.write(io.BytesIO(slice_of(syntax=JPEGLSLossless, pixels=frames)), tmp_path)

    assert pydicom.dcmread(tmp_path / written.path).PixelData == frames


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (slice_of()[:-100], "truncated"), (b"no DICOM at all", "no-instance"), (b"", "no-instance"),
        (slice_of(pixels=PIXELS + b"Zeisig^Adele"), "surplus"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_and_nothing_is_left(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        DEIDENTIFIER.write(io.BytesIO(content), tmp_path)

    assert refusal.value.code in {code, "unreadable"}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


RULE = """
[[rule]]
name = "a console"
sop_class = "CTImageStorage"
manufacturer = "Maker"
model = "Console"
rows = 16
columns = 12
rectangles = [{ left = 0, top = 0, width = 12, height = 4 }]
"""


def burned_in(syntax: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(slice_of()))
    dataset.Manufacturer, dataset.ManufacturerModelName, dataset.BurnedInAnnotation = "Maker", "Console", "YES"
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_rectangles_of_a_rule_are_black_and_the_file_says_so(tmp_path: Path, syntax: str) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE)
    deidentifier = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))), load_rules(rules))

    written = deidentifier.write(io.BytesIO(burned_in(syntax)), tmp_path)
    again = deidentifier.write(io.BytesIO(burned_in(syntax)), tmp_path)

    made = pydicom.dcmread(tmp_path / written.path)
    before = pydicom.dcmread(io.BytesIO(slice_of())).pixel_array
    assert made.file_meta.TransferSyntaxUID == syntax
    assert not made.pixel_array[:4].any()
    assert np.array_equal(made.pixel_array[4:], before[4:])
    assert made.BurnedInAnnotation == "NO"
    assert "113101" in [code.CodeValue for code in made.DeidentificationMethodCodeSequence]
    assert not again.is_new


def test_a_burned_in_file_without_a_rule_is_refused_under_its_new_study(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refusal:
        DEIDENTIFIER.write(io.BytesIO(burned_in(ExplicitVRLittleEndian)), tmp_path)

    assert refusal.value.code == "burned-in"
    assert refusal.value.study == DEIDENTIFIER.pseudonyms.uid("1.2.826.0.2")


def test_another_content_under_the_same_instance_uid_is_refused_and_the_first_is_kept(tmp_path: Path) -> None:
    written = DEIDENTIFIER.write(io.BytesIO(slice_of()), tmp_path)
    first = (tmp_path / written.path).read_bytes()

    assert not DEIDENTIFIER.write(io.BytesIO(slice_of()), tmp_path).is_new
    with pytest.raises(RefusedError) as refusal:
        DEIDENTIFIER.write(io.BytesIO(slice_of(pixels=PIXELS[::-1])), tmp_path)

    assert refusal.value.code == "conflict"
    assert (tmp_path / written.path).read_bytes() == first


def test_an_image_without_pixels_is_written_without(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO(slice_of()))
    del dataset.PixelData
    stream = io.BytesIO()
    dataset.save_as(stream)

    written = DEIDENTIFIER.write(stream, tmp_path)

    assert "PixelData" not in pydicom.dcmread(tmp_path / written.path)


def test_a_private_syntax_is_refused(tmp_path: Path) -> None:
    content = slice_of().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0")

    with pytest.raises(RefusedError) as refusal:
        DEIDENTIFIER.write(io.BytesIO(content), tmp_path)

    assert refusal.value.code == "syntax"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dicom_node", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_takes_folders_and_archives_goes_on_and_says_what_it_refused(tmp_path: Path) -> None:
    source, target, key = tmp_path / "in", tmp_path / "out", tmp_path / "key"
    source.mkdir()
    make_key(key)
    (source / "Zeisig.dcm").write_bytes(slice_of(1))
    with zipfile.ZipFile(source / "more.zip", "w") as archive:
        archive.writestr("a/2.dcm", slice_of(2))
        archive.writestr("a/notes.txt", "hello")

    first = run("deidentify", source, target, "--key", key, "--refused", tmp_path / "refused.tsv")
    second = run("deidentify", source, target, "--key", key)

    assert first.returncode == second.returncode == 1
    assert "2 written, 0 there before, 1 refused" in first.stderr
    assert "0 written, 2 there before, 1 refused" in second.stderr
    assert "notes.txt" in (tmp_path / "refused.tsv").read_text()
    lines = [json.loads(line) for path in (target / "reports").iterdir() for line in path.open()]
    assert {"PatientName", "PatientID"} <= {path for path, _ in lines[0]["rules"]}
    everything = b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())
    assert b"zeisig" not in everything.lower()
    assert "zeisig" not in (first.stdout + first.stderr).lower()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--profile", "nothing"], "'nothing' is not one of basic"), ([], "no site key"), (["--key", "/none"], "/none")],
)
def test_a_wrong_option_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.delenv("DICOM_NODE_SITE_KEY", raising=False)
    answer = run("deidentify", tmp_path, tmp_path / "out", *options)

    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_every_file_of_the_collection_is_written_or_refused(tmp_path: Path, test_data: Path) -> None:
    outcomes = {"written": 0, "refused": 0}
    for path in sorted((test_data / "dicom").rglob("*")):
        if not path.is_file():
            continue
        try:
            with path.open("rb") as source:
                DEIDENTIFIER.write(source, tmp_path)
            outcomes["written"] += 1
        except RefusedError as refusal:
            assert refusal.code
            outcomes["refused"] += 1

    assert outcomes["written"] > 80


def changed(**values: object) -> io.BytesIO:
    dataset = pydicom.dcmread(io.BytesIO(slice_of()))
    for keyword, value in values.items():
        tag, vr = Tag(keyword), dictionary_VR(keyword)
        raw = RawDataElement(tag, vr, len(value), value, 0, False, True) if isinstance(value, bytes) else None
        dataset[keyword] = raw or DataElement(tag, vr, value, validation_mode=0)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("uid", ["../../escaped", "/escaped", "1.2/../3", "..", "1." * 40 + "1"])
def test_a_retained_uid_that_is_none_becomes_no_path(tmp_path: Path, keyword: str, uid: str) -> None:
    target = tmp_path / "a" / "b"
    retaining = replace(DEIDENTIFIER, profile=Profile("linked", frozenset({Option.RETAIN_UIDS})))

    with pytest.raises(RefusedError) as refusal:
        retaining.write(changed(**{keyword: uid}), target)

    assert "malformed" == refusal.value.code
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("uid", ["GEHEIMRAT.1933", "1.2.a", "1..2", "1." * 32 + "1"])
def test_a_uid_that_is_none_gets_no_pseudonym(tmp_path: Path, keyword: str, uid: str) -> None:
    with pytest.raises(RefusedError, match=f"{keyword} is not one UID") as refusal:
        DEIDENTIFIER.write(changed(**{keyword: uid}), tmp_path)

    assert "malformed" == refusal.value.code
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_several_uids_in_the_place_of_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="SOPInstanceUID is not one UID"):
        DEIDENTIFIER.write(changed(SOPInstanceUID=["1.2.3", "1.2.4"]), tmp_path)


@pytest.mark.parametrize(
    "values", [{"BitsStored": [12, 12]}, {"NumberOfFrames": b"Zei "}, {"SamplesPerPixel": [1, 1]}, {"Rows": [16, 16]}]
)
def test_a_malformed_header_is_refused_and_its_value_is_not_told(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(RefusedError) as refusal:
        DEIDENTIFIER.write(changed(**values), tmp_path)

    assert refusal.value.code in {"malformed", "geometry"}
    assert "Zei" not in str(refusal.value)


def test_what_is_deflated_and_cut_off_is_refused(tmp_path: Path) -> None:
    content = slice_of(syntax=DeflatedExplicitVRLittleEndian)
    with pytest.raises(RefusedError):
        DEIDENTIFIER.write(io.BytesIO(content[:-40]), tmp_path)


def test_what_inflates_to_more_than_an_image_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1_000_000)
    content = slice_of(syntax=DeflatedExplicitVRLittleEndian, pixels=bytes(2_000_000))

    with pytest.raises(RefusedError, match="data set: more than 1000000 bytes when inflated") as refusal:
        DEIDENTIFIER.write(io.BytesIO(content), tmp_path)

    assert "too-large" == refusal.value.code


def test_attributes_behind_the_pixels_are_refused(tmp_path: Path) -> None:
    content = slice_of(pixels=PIXELS)
    behind = b"\x10\x00\x10\x00PN\x0c\x00Zeisig^Adele"

    with pytest.raises(RefusedError, match="behind the pixels"):
        DEIDENTIFIER.write(io.BytesIO(content + behind), tmp_path)


def test_pixels_that_are_shorter_than_their_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="shorter than its image"):
        DEIDENTIFIER.write(io.BytesIO(slice_of(pixels=PIXELS[:100])), tmp_path)
