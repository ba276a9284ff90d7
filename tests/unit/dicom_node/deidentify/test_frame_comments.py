"""Comments in compressed frames are found wherever they stand, and what no decoder needs is a comment."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import CTImageStorage, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.frame_comments import comments, is_harmless
from dicom_node.deidentify.profile import Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.refusal import RefusedError

DEIDENTIFIER = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))))
NAME = b"Zeisig^Adele"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


JFIF = segment(0xE0, b"JFIF\0\1\1" + bytes(7))
JPEG = b"\xff\xd8" + JFIF
SCAN = segment(0xDA, bytes(6)) + b"\x12\xff\x00\x34\xff\xd0Zeisig\xff\x7f\x56"
END = b"\xff\xd9"
J2K = b"\xff\x4f" + segment(0x51, bytes(4))
COMMENT, J2K_COMMENT = segment(0xFE, NAME), segment(0x64, b"\0\1" + NAME)


def tile(header: bytes, body: bytes, is_open: bool = False) -> bytes:
    length = 0 if is_open else 12 + len(header) + 2 + len(body)
    return segment(0x90, struct.pack(">HLBB", 0, length, 0, 1)) + header + b"\xff\x93" + body


def file_of(frames: list[bytes], syntax: str = JPEGLSLossless, table: bytes = b"", count: int = 1) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.826.0.1.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.2", "1.2.826.0.3"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Zeisig^Adele", "ZX4711", "CT"
    dataset.ImageType, dataset.PhotometricInterpretation = ["ORIGINAL", "PRIMARY", "AXIAL"], "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.NumberOfFrames = 16, 12, 1, count
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    even = [item + b"\0" * (len(item) % 2) for item in (table, *frames)]
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in even]
    dataset.add_new(0x7FE00010, "OB", b"".join(items))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def is_refused(content: bytes, folder: Path) -> bool:
    try:
        DEIDENTIFIER.write(io.BytesIO(content), folder)
    except RefusedError as refusal:
        assert "comment" == refusal.code
        return True
    return False


@pytest.mark.parametrize(
    "frame",
    [
        JPEG + segment(0xFE, b"LEAD Technologies Inc. V1.01\0") + SCAN + END,
        JPEG + SCAN + segment(0xC4, b"Huffman") + SCAN + END + b"\0",
        JPEG + segment(0xEE, b"Adobe\0\x64" + bytes(5)) + b"\xff\xff" + SCAN + END,
        b"\xff\xd8" + segment(0xE8, b"mrfx\1") + segment(0xF7, bytes(9)) + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"LJIF\0\1" + bytes(7)) + SCAN + END,
        b"\xff\xd8" + bytes(50),
        J2K + segment(0x64, b"\0\1Created by OpenJPEG version 2.5.2") + tile(b"", b"Zeisig") + END,
        J2K + segment(0x64, b"\0\1Kakadu-v7.3.3") + tile(b"", b"Zeisig") + tile(b"", b"Zeisig", True) + END,
    ],
)
def test_a_frame_as_encoders_write_it_is_kept_byte_for_byte(tmp_path: Path, frame: bytes) -> None:
    written = DEIDENTIFIER.write(io.BytesIO(file_of([frame])), tmp_path)

    assert frame in (tmp_path / written.path).read_bytes()


@pytest.mark.parametrize(
    "frame",
    [
        JPEG + COMMENT + SCAN + END,
        JPEG + segment(0xE1, b"Exif\0\0 1956:11:27") + SCAN + END,
        JPEG + SCAN + COMMENT + SCAN + END,
        JPEG + SCAN + b"\xff" + COMMENT + END,
        JPEG + SCAN + END + NAME,
        JPEG + SCAN + END + b"\0" + COMMENT,
        JPEG + segment(0xFE, "Zeisig".encode("utf-16-le")) + SCAN + END,
        JPEG + NAME,
        JPEG + segment(0xF1, NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1" + bytes(5) + b"\1\1" + NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"JFIF\0" + NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xEE, b"Adobe\0" + NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xE8, b"mrfx" + NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xFE, bytes(40_000)) + COMMENT + SCAN + END,
        JPEG + segment(0xDB, bytes(65_000)) * 2 + COMMENT + SCAN + END,
        JPEG + segment(0xDA, bytes(6)) + bytes(65_533) + COMMENT + END,
        b"\0" + JPEG + COMMENT + SCAN + END,
        NAME,
        J2K + segment(0x64, b"\0\1Created by OpenJPEG for Zeisig") + tile(b"", b"") + END,
        J2K + tile(J2K_COMMENT, b"abc") + END,
        J2K + tile(b"", b"abc") + tile(segment(0x58, b"plt") + J2K_COMMENT, b"abc", True) + END,
        J2K + tile(b"", b"abc") + END + NAME,
        J2K + tile(b"", b"abc", True) + END + NAME,
        J2K + segment(0x70, NAME) + tile(b"", b"") + END,
        b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 " + J2K + END,
    ],
)  # fmt: skip
def test_a_frame_that_carries_anything_else_is_refused(tmp_path: Path, frame: bytes) -> None:
    assert is_refused(file_of([JPEG + SCAN + END, frame], count=2), tmp_path)


def test_a_frame_of_several_fragments_is_read_as_one(tmp_path: Path) -> None:
    whole = JPEG + SCAN + COMMENT + END
    cut = whole.index(NAME) + 3

    assert is_refused(file_of([whole[:cut], whole[cut:]]), tmp_path)
    assert not is_refused(file_of([(JPEG + SCAN)[:-5], (JPEG + SCAN)[-5:] + END]), tmp_path)


@pytest.mark.parametrize("table", [NAME, b"Zeisig", struct.pack("<2L", 4, 2)])
def test_an_offset_table_that_holds_no_offsets_is_a_comment(tmp_path: Path, table: bytes) -> None:
    expected = is_harmless(table)

    assert expected is not is_refused(file_of([JPEG + SCAN + END], table=table), tmp_path)


def test_frames_of_other_transfer_syntaxes_have_no_comments(tmp_path: Path) -> None:
    frames = [struct.pack("<16L", 1, 64, *[0] * 14) + b"\0" * 20]

    assert not is_refused(file_of(frames, RLELossless), tmp_path)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_what_our_own_encoders_write_carries_nothing(syntax: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (160, 120), dtype="<u2")
    frame = get_encoder(syntax).encode(
        pixels, rows=160, columns=120, samples_per_pixel=1, photometric_interpretation="MONOCHROME2",
        bits_allocated=16, bits_stored=12, pixel_representation=0, number_of_frames=1,
    )  # fmt: skip

    assert all(map(is_harmless, comments(frame)))


def test_a_long_scan_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(file_of([JPEG + segment(0xDA, bytes(6)) + bytes(30_000_000) + END], JPEGBaseline8Bit))
    tracemalloc.start()
    with path.open("rb") as source:
        DEIDENTIFIER.write(source, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000_000


def test_comments_are_told_of_bytes_too() -> None:
    assert [NAME] == list(comments(JPEG + SCAN + COMMENT + END))
    assert not list(comments(encapsulate([b"\0"])))
