"""Comments in compressed frames are found wherever they stand, and what no decoder needs is a comment."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.frame_comments import comments, is_harmless
from dicom_node.deidentify.jpeg_segments import MalformedFrameError
from dicom_node.deidentify.pixel_stream import fragment_heads, pixel_element
from dicom_node.deidentify.profile import Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.reading import opened
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.sound_frames import require_sound

DEIDENTIFIER = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))))
NAME = b"Zeisig^Adele"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


JFIF = segment(0xE0, b"JFIF\0\1\1" + bytes(7))
# JPEG-LS of 16 lines, a restart after 8 of them.
FRAME = segment(0xF7, struct.pack(">BHHB", 8, 16, 12, 1) + b"\1\x11\0") + segment(0xDD, b"\0\x08")
JPEG = b"\xff\xd8" + JFIF + FRAME
SCAN = segment(0xDA, b"\1\1\0" + bytes(3)) + b"\x12\xff\x00\x34\xff\xd0Zeisig\xff\x7f\x56"
END = b"\xff\xd9"
J2K = b"\xff\x4f" + segment(0x51, bytes(4))
TWO_COMPONENTS = segment(0xF7, struct.pack(">BHHB", 8, 16, 12, 2) + b"\1\x11\0\2\x11\0") + segment(0xDD, b"\0\x08")
SCAN_OF_2 = SCAN.replace(b"\1\1\0", b"\1\2\0", 1)
COMMENT, J2K_COMMENT = segment(0xFE, NAME), segment(0x64, b"\0\1" + NAME)


def tile(header: bytes, body: bytes, is_open: bool = False) -> bytes:
    length = 0 if is_open else 12 + len(header) + 2 + len(body)
    return segment(0x90, struct.pack(">HLBB", 0, length, 0, 1)) + header + b"\xff\x93" + body


# Frames that are made up here hold no pixels: of a syntax whose frames are followed, but not decoded.
FOLLOWED = JPEG2000Lossless


def file_of(
    frames: list[bytes], syntax: str = FOLLOWED, table: bytes = b"", count: int = 1, **attributes: object
) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.826.0.1.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.2", "1.2.826.0.3"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Zeisig^Adele", "ZX4711", "CT"
    dataset.ImageType, dataset.PhotometricInterpretation = ["ORIGINAL", "PRIMARY", "AXIAL"], "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.NumberOfFrames = 16, 12, 1, count
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    even = [item + b"\0" * (len(item) % 2) for item in (table, *frames)]
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in even]
    dataset.add_new(0x7FE00010, "OB", b"".join(items))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def refusal_of(content: bytes, folder: Path) -> str:
    """Return the code, none where the file is written."""
    try:
        DEIDENTIFIER.write(io.BytesIO(content), folder)
    except RefusedError as refusal:
        assert "Zeisig" not in str(refusal)
        return refusal.code
    return ""


def is_refused(content: bytes, folder: Path) -> bool:
    code = refusal_of(content, folder)
    assert code in ("", "comment")
    return bool(code)


@pytest.mark.parametrize(
    "frame",
    [
        JPEG + segment(0xFE, b"LEAD Technologies Inc. V1.01\0") + SCAN + END,
        b"\xff\xd8" + TWO_COMPONENTS + SCAN + segment(0xF8, b"\1" + bytes(10)) + SCAN_OF_2 + END + b"\0",
        JPEG + segment(0xEE, b"Adobe\0\x64" + bytes(5)) + b"\xff\xff" + SCAN + END,
        b"\xff\xd8" + segment(0xE8, b"mrfx\1") + FRAME + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"LJIF\0\1" + bytes(7)) + FRAME + SCAN + END,
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
        b"\xff\xd8" + TWO_COMPONENTS + SCAN + COMMENT + SCAN_OF_2 + END,
        JPEG + SCAN + b"\xff" + COMMENT + END,
        JPEG + SCAN + END + NAME,
        JPEG + SCAN + END + b"\0" + COMMENT,
        JPEG + segment(0xFE, "Zeisig".encode("utf-16-le")) + SCAN + END,
        JPEG + NAME,
        JPEG + segment(0xF1, NAME) + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1" + bytes(5) + b"\1\1" + NAME) + FRAME + SCAN + END,
        b"\xff\xd8" + segment(0xE0, b"JFIF\0" + NAME) + FRAME + SCAN + END,
        b"\xff\xd8" + segment(0xEE, b"Adobe\0" + NAME) + FRAME + SCAN + END,
        b"\xff\xd8" + segment(0xE8, b"mrfx" + NAME) + FRAME + SCAN + END,
        b"\xff\xd8" + segment(0xFE, bytes(40_000)) + COMMENT + FRAME + SCAN + END,
        JPEG + segment(0xFE, bytes(65_000)) * 2 + COMMENT + SCAN + END,
        JPEG + SCAN + bytes(65_533) + COMMENT + END,
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
    path.write_bytes(file_of([JPEG + SCAN + bytes(30_000_000) + END]))
    tracemalloc.start()
    with path.open("rb") as source:
        DEIDENTIFIER.write(source, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000_000


def picture(samples: int, *options: int, size: tuple[int, int] = (75, 90)) -> bytes:
    """Return a sound JPEG as libjpeg writes it."""
    pixels = np.random.default_rng(7).integers(0, 256, (*size, samples), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.blur(pixels, (9, 9)), options)[1].tobytes()


def refusal_of_picture(frame: bytes, folder: Path, samples: int = 1, size: tuple[int, int] = (75, 90)) -> str:
    content = file_of(
        [frame], JPEGBaseline8Bit, SOPClassUID=DigitalXRayImageStorageForPresentation, Modality="DX",
        BurnedInAnnotation="NO", BitsAllocated=8, BitsStored=8, HighBit=7, Rows=size[0], Columns=size[1],
        SamplesPerPixel=samples, PhotometricInterpretation="MONOCHROME2" if samples == 1 else "YBR_FULL_422",
        PlanarConfiguration=0,
    )  # fmt: skip
    return refusal_of(content, folder)


@pytest.mark.parametrize("size", [(75, 90), (64, 64), (1, 1), (17, 33)])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("interval", [0, 1, 3, 500])
@pytest.mark.parametrize("sampling", [0x111111, 0x211111, 0x221111])
def test_a_sound_picture_passes_with_restarts_and_subsampled_colours(
    tmp_path: Path, size: tuple[int, int], samples: int, interval: int, sampling: int
) -> None:
    frame = picture(
        samples, cv2.IMWRITE_JPEG_RST_INTERVAL, interval, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, size=size
    )

    assert "" == refusal_of_picture(frame, tmp_path, samples, size)


@pytest.mark.parametrize("optimized", [0, 1])
def test_a_progressive_frame_is_followed_through_all_its_scans(optimized: int) -> None:
    frame = picture(3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, optimized)

    assert all(map(is_harmless, comments(frame)))
    with pytest.raises(MalformedFrameError):
        list(comments(with_more(frame, 0xC4)))


def test_every_jpeg_frame_of_the_collection_is_followed_to_its_end(test_data: Path) -> None:
    followed = 0
    for path in sorted(path for path in (test_data / "dicom").rglob("*.dcm")):
        with path.open("rb") as file:
            try:
                source, header = opened(file)
            except RefusedError:
                continue
            element = pixel_element(source, header)
            if element is None or element.length is not None:
                continue
            for frame in fragment_heads(source, element):
                if frame.at(0, 2) == b"\xff\xd8":
                    list(comments(frame))
                    require_sound(frame, header)
                    followed += 1

    assert followed > 300


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xd8" + bytes(50),
        J2K + tile(b"", b"abc"),
        J2K + tile(b"", b"abc", True),
        J2K + tile(b"", b"abc")[:-1] + END,
    ],
)
def test_a_frame_without_an_end_is_refused(tmp_path: Path, frame: bytes) -> None:
    assert "frame" == refusal_of(file_of([frame]), tmp_path)


def with_more(frame: bytes, marker: int, more: bytes = NAME) -> bytes:
    """Return a frame whose first segment of a kind holds something behind its fields."""
    at = frame.index(bytes([0xFF, marker]))
    length = int.from_bytes(frame[at + 2 : at + 4], "big")
    end = at + 2 + length
    return frame[: at + 2] + (length + len(more)).to_bytes(2, "big") + frame[at + 4 : end] + more + frame[end:]


def before(frame: bytes, marker: int, what: bytes) -> bytes:
    at = frame.index(bytes([0xFF, marker]))
    return frame[:at] + what + frame[at:]


SOUND, RESTARTED = picture(1), picture(1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
UNUSED_HUFFMAN = segment(0xC4, b"\x03" + bytes([0, 0, 0, len(NAME), *bytes(12)]) + NAME)


@pytest.mark.parametrize(
    "frame",
    [
        with_more(SOUND, 0xC0),
        with_more(SOUND, 0xC4),
        with_more(SOUND, 0xDA),
        with_more(SOUND, 0xDB),
        with_more(RESTARTED, 0xDD),
        before(SOUND, 0xDA, segment(0xDB, b"\x03" + (NAME * 6)[:64])),
        before(SOUND, 0xDA, UNUSED_HUFFMAN),
        before(SOUND, 0xD9, segment(0xDB, b"\0" + (NAME * 6)[:64])),
        before(SOUND, 0xD9, segment(0xDC, NAME + b"\0\0")),
        before(SOUND, 0xD9, b"\xff\xd0" + NAME),
        before(SOUND, 0xD9, NAME),
        before(SOUND, 0xD9, NAME[:8]),
        before(RESTARTED, 0xD9, b"\xff\xd3" + NAME),
        before(RESTARTED, 0xD3, NAME),
        before(RESTARTED, 0xD3, NAME[:8]),
        RESTARTED.replace(b"\xff\xd1", b"\xff\xd2", 1),
        SOUND[: len(SOUND) // 2],
        SOUND[:-2],
        SOUND[: len(SOUND) // 2] + END,
        SOUND[:-2] + SOUND[SOUND.index(b"\xff\xda") :],
        before(SOUND, 0xC0, SOUND[SOUND.index(b"\xff\xc0") : SOUND.index(b"\xff\xc4")]),
    ],
)  # fmt: skip
def test_a_picture_that_holds_more_or_less_than_its_image_is_refused(tmp_path: Path, frame: bytes) -> None:
    assert "frame" == refusal_of_picture(frame, tmp_path)


@pytest.mark.parametrize(
    "name", ["CT1_JPLL.dcm", "CT1_JLSL.dcm", "CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm"]
)
def test_a_scan_that_goes_on_behind_its_last_mcu_is_refused(tmp_path: Path, test_data: Path, name: str) -> None:
    (path,) = (test_data / "dicom").rglob(name)
    content = path.read_bytes()
    at = content.rindex(END, 0, -8)
    item = content.rindex(b"\xfe\xff\x00\xe0", 0, at)
    length = int.from_bytes(content[item + 4 : item + 8], "little") + len(NAME)
    more = content[: item + 4] + length.to_bytes(4, "little") + content[item + 8 : at] + NAME + content[at:]

    assert "" == refusal_of(content, tmp_path / "sound")
    assert "frame" == refusal_of(more, tmp_path / "more")


def test_a_frame_of_twelve_bits_is_decoded_in_silence(
    tmp_path: Path, test_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (path,) = (test_data / "dicom").rglob("CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm")

    assert "" == refusal_of(path.read_bytes(), tmp_path)
    assert "" == capfd.readouterr().err


def test_comments_are_told_of_bytes_too() -> None:
    assert [NAME] == list(comments(JPEG + SCAN + COMMENT + END))
    assert not list(comments(encapsulate([b"\0"])))
