"""A picture that no detector makes is refused before its pixels are asked for."""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from film_datasets import film_dataset
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEGBaseline8Bit

from inference.decoding import stored_values
from inference.errors import FilmError
from inference.film import read_film, to_radiograph
from inference.jpeg_damage import standard_error_lines
from inference.jpeg_head import with_plain_head
from inference.preprocessing import Preprocessing

# Lossless, and of twelve bits.
GDCM_FILMS = ("ct/CT1_JPLL.dcm", "radiograph/GH133.dcm", "radiograph/RG3_JPLY.dcm")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(columns: int, rows: int) -> bytes:
    """Return a PNG of a size that it only claims."""
    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"\0" * 1000)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg(columns: int, rows: int) -> bytes:
    """Return a JPEG that claims another size than it has."""
    content = bytearray(cv2.imencode(".jpg", np.full((16, 16), 90, np.uint8))[1].tobytes())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", rows, columns)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (png(100_000, 100_000), "100000 × 100000; a film has at most 100000000"),
        (png(30_000, 30_000), "30000 × 30000; a film has at most 100000000"),
        (jpeg(60_000, 50_000), "50000 × 60000; a film has at most 100000000"),
        (png(900, 900)[:20], "a damaged PNG or JPEG"),
        (b"\xff\xd8\xff", "a damaged PNG or JPEG"),
    ],
)
def test_a_picture_that_no_detector_makes_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "film").write_bytes(content)

    with pytest.raises(FilmError, match=said) as refusal:
        read_film(tmp_path / "film")

    assert "pixels" == refusal.value.code


def film_like(kind: str) -> bytes:
    """Return a picture with the noise of a film in a kind of file."""
    rows, columns = np.mgrid[0:300, 0:260]
    noise = np.random.default_rng(0).normal(0, 6, rows.shape)
    picture = 127 + 60 * np.sin(rows / 40) + 40 * np.cos(columns / 30) + noise
    return cv2.imencode(kind, np.clip(picture, 0, 255).astype(np.uint8))[1].tobytes()


def altered(content: bytes, seed: int) -> bytes:
    """Return a picture with four hundred other bytes in the midst of it."""
    random, changed = np.random.default_rng(seed), bytearray(content)
    place = random.integers(len(content) // 4, len(content) - 500)
    changed[place : place + 400] = random.integers(0, 255, 400).astype(np.uint8).tobytes()
    return bytes(changed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_with_altered_bytes_is_refused_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, seed: int
) -> None:
    (tmp_path / "film").write_bytes(altered(film_like(kind), seed))

    with pytest.raises(FilmError, match="file: a damaged") as refusal:
        read_film(tmp_path / "film")

    assert "pixels" == refusal.value.code
    assert "Corrupt JPEG" not in capfd.readouterr().err


def encapsulated_film(frame: bytes) -> Dataset:
    """Return a data set whose one frame is a JPEG of eight bits."""
    dataset = film_dataset(np.zeros((300, 260), np.uint8), BitsStored=8, HighBit=7)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([frame])
    return dataset


def test_a_jpeg_in_dicom_has_the_values_that_pillow_gives() -> None:
    content = film_like(".jpg")
    with Image.open(BytesIO(content)) as picture:
        expected = np.asarray(picture)

    assert (expected == stored_values(encapsulated_film(content))).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_jpeg_in_dicom_with_altered_bytes_is_refused(capfd: pytest.CaptureFixture[str], seed: int) -> None:
    with pytest.raises(FilmError, match="PixelData: a damaged JPEG") as refusal:
        to_radiograph(encapsulated_film(altered(film_like(".jpg"), seed)))

    assert "pixels" == refusal.value.code
    assert "Corrupt JPEG" not in capfd.readouterr().err


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", GDCM_FILMS)
def test_a_jpeg_that_gdcm_decodes_is_refused_too(
    capfd: pytest.CaptureFixture[str], dicom_files: Path, name: str, seed: int
) -> None:
    dataset = dcmread(dicom_files / name)
    to_radiograph(dataset)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([altered(frame, seed)])

    with pytest.raises(FilmError, match=r"PixelData: .*damaged") as refusal:
        to_radiograph(dataset)

    assert "pixels" == refusal.value.code
    assert "Corrupt JPEG" not in capfd.readouterr().err


def test_a_jpeg_in_dicom_that_ends_early_is_refused() -> None:
    content = film_like(".jpg")

    with pytest.raises(FilmError, match=r"PixelData: a damaged (PNG or )?JPEG"):
        to_radiograph(encapsulated_film(content[: len(content) // 2]))


def with_padding(stream: bytes) -> bytes:
    """Return a JPEG with two bytes between its first segment and the next."""
    first = 4 + int.from_bytes(stream[4:6], "big")
    return stream[:first] + bytes(2) + stream[first:]


def with_fill(stream: bytes) -> bytes:
    """Return a JPEG with fill bytes before its second marker (T.81 B.1.1.2)."""
    first = 4 + int.from_bytes(stream[4:6], "big")
    return stream[:first] + b"\xff\xff" + stream[first:]


def of_another_revision(stream: bytes) -> bytes:
    """Return a JPEG that claims a JFIF that there is not."""
    place = stream.index(b"JFIF\0") + 5
    return stream[:place] + b"\2" + stream[place + 1 :]


def with_comment(stream: bytes) -> bytes:
    """Return a JPEG with a comment in which there seem to be markers."""
    return stream[:2] + b"\xff\xfe\0\x08\xff\xda\xff\xd9\0\0" + stream[2:]


def of_part_of_the_spectrum(stream: bytes) -> bytes:
    """Return a JPEG whose sequential scan claims to be a part of a progressive one."""
    scan = stream.index(b"\xff\xda")
    end = scan + 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")
    return stream[: end - 3] + bytes((1, 5, 0)) + stream[end:]


ODD_HEADS = (with_padding, with_fill, of_another_revision, with_comment, of_part_of_the_spectrum)


@pytest.mark.parametrize("odd", ODD_HEADS)
def test_an_odd_head_of_a_jpeg_is_no_damage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], odd: Callable[[bytes], bytes]
) -> None:
    sound = film_like(".jpg")
    (tmp_path / "sound").write_bytes(sound)
    (tmp_path / "odd").write_bytes(odd(sound))

    plain, read = (read_film(tmp_path / name).pixels for name in ("sound", "odd"))

    assert (plain == read).all()
    assert (stored_values(encapsulated_film(sound)) == stored_values(encapsulated_film(odd(sound)))).all()
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("odd", ODD_HEADS)
def test_an_odd_head_hides_no_damage(tmp_path: Path, odd: Callable[[bytes], bytes], seed: int) -> None:
    content = odd(altered(film_like(".jpg"), seed))
    (tmp_path / "film").write_bytes(content)

    with pytest.raises(FilmError, match="file: a damaged JPEG"):
        read_film(tmp_path / "film")
    with pytest.raises(FilmError, match="PixelData: a damaged JPEG"):
        to_radiograph(encapsulated_film(content))


@pytest.mark.parametrize("name", GDCM_FILMS)
def test_padding_in_the_head_of_a_jpeg_that_gdcm_decodes_changes_and_hides_nothing(
    dicom_files: Path, name: str
) -> None:
    dataset = dcmread(dicom_files / name)
    plain, frame = stored_values(dataset), get_frame(dataset.PixelData, 0, number_of_frames=1)

    dataset.PixelData = encapsulate([with_padding(frame)])
    assert (plain == stored_values(dataset)).all()

    dataset.PixelData = encapsulate([with_padding(altered(frame, 1))])
    with pytest.raises(FilmError, match=r"PixelData: .*damaged"):
        stored_values(dataset)


def progressive_film() -> bytes:
    """Return a JPEG of several scans."""
    stream, film = BytesIO(), cv2.imdecode(np.frombuffer(film_like(".png"), np.uint8), cv2.IMREAD_UNCHANGED)
    Image.fromarray(film).save(stream, "JPEG", progressive=True, quality=95)
    return stream.getvalue()


def test_a_progression_that_contradicts_itself_is_refused() -> None:
    content = progressive_film()
    end = content.index(b"\xff\xda") + 2 + int.from_bytes(content[content.index(b"\xff\xda") + 2 :][:2], "big")
    stored_values(encapsulated_film(content))

    with pytest.raises(FilmError, match=r"a damaged JPEG \(Inconsistent progression"):
        stored_values(encapsulated_film(content[: end - 1] + b"\x00" + content[end:]))


@pytest.mark.parametrize("at", [-3, -2, -1])
def test_parameters_that_no_lossless_scan_has_are_refused(dicom_files: Path, at: int) -> None:
    dataset = dcmread(dicom_files / "ct" / "CT1_JPLL.dcm")
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    scan = frame.index(b"\xff\xda")
    place = scan + 2 + int.from_bytes(frame[scan + 2 : scan + 4], "big") + at

    dataset.PixelData = encapsulate([frame[:place] + bytes((0xC9,)) + frame[place + 1 :]])

    with pytest.raises(FilmError, match=r"PixelData: .*damaged"):
        stored_values(dataset)


@pytest.mark.parametrize("name", GDCM_FILMS)
def test_zeros_before_the_end_of_an_image_are_no_damage(dicom_files: Path, name: str) -> None:
    dataset = dcmread(dicom_files / name)
    plain, frame = stored_values(dataset), get_frame(dataset.PixelData, 0, number_of_frames=1)
    end = frame.rindex(b"\xff\xd9")

    dataset.PixelData = encapsulate([frame[:end] + bytes(2) + frame[end:]])

    assert (plain == stored_values(dataset)).all()


@pytest.mark.parametrize(("components", "said", "meant"), [(3, 255, 1), (3, 2, 1), (4, 1, 2), (4, 255, 2), (3, 0, 0)])
def test_a_transform_of_adobe_that_there_is_not_is_the_one_that_decoders_take(
    components: int, said: int, meant: int
) -> None:
    def stream(transform: int) -> bytes:
        adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes((transform,))
        frame = b"\xff\xc0" + (8 + 3 * components).to_bytes(2, "big") + b"\x08\0\x10\0\x10" + bytes((components,))
        return b"\xff\xd8" + adobe + frame + bytes(3 * components) + b"\xff\xda\0\x06\0\0\x3f\0" + bytes(8)

    assert stream(meant) == with_plain_head(stream(said))


@pytest.mark.parametrize("content", [bytes(2), b"\xff\xd8\xff", b"\xff\xd8\xff\xfe\0\x04ab", b"GIF89a" + bytes(40)])
def test_what_is_no_jpeg_is_refused_as_a_frame(content: bytes) -> None:
    with pytest.raises(FilmError, match="PixelData: ") as refusal:
        to_radiograph(encapsulated_film(content))

    assert "pixels" == refusal.value.code


def test_a_picture_is_read_without_a_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film").write_bytes(film_like(".jpg"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))

    assert (300, 260) == read_film(tmp_path / "film").pixels.shape


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_that_ends_early_is_refused(tmp_path: Path, kind: str) -> None:
    content = film_like(kind)
    (tmp_path / "film").write_bytes(content[: len(content) // 2])

    with pytest.raises(FilmError, match="file: a damaged PNG or JPEG"):
        read_film(tmp_path / "film")


def test_what_others_write_meanwhile_is_not_lost_and_is_no_damage(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[bytes] = []

    with standard_error_lines(said):
        os.write(2, b"of another thread\nCorrupt JPEG data: bad Huffman code\n")

    assert [b"of another thread\n", b"Corrupt JPEG data: bad Huffman code\n"] == said
    assert "of another thread\n" == capfd.readouterr().err


def test_a_picture_is_read_where_the_standard_error_is_closed(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(film_like(".jpg"))
    kept = os.dup(2)
    os.close(2)
    try:
        rows, columns = read_film(tmp_path / "film").pixels.shape
    finally:
        os.dup2(kept, 2)
        os.close(kept)

    assert (300, 260) == (rows, columns)


@pytest.mark.parametrize("size", [(0, 8), (8, 0), (0, 0)])
def test_an_image_without_area_is_refused(size: tuple[int, int]) -> None:
    dataset = film_dataset(np.arange(64, dtype=np.uint16).reshape(8, 8))
    dataset.Rows, dataset.Columns = size

    with pytest.raises(FilmError, match=f"{size[0]} × {size[1]}; an image has one pixel at least") as refusal:
        to_radiograph(dataset)

    assert "pixels" == refusal.value.code


def test_a_film_of_which_nothing_is_left_without_its_border_is_refused() -> None:
    film = to_radiograph(film_dataset(np.array([[0, 9], [9, 0]], np.uint16)))

    with pytest.raises(FilmError, match=r"2 × 2; nothing is left without 0\.4 of them at each side") as refusal:
        Preprocessing(32, 0.5, 0.5, cropped=0.4).prepare(film)

    assert "pixels" == refusal.value.code


def test_a_data_set_that_no_detector_makes_is_refused() -> None:
    dataset = Dataset()
    dataset.Rows, dataset.Columns = 65535, 65535

    with pytest.raises(FilmError, match="65535 × 65535; a film has at most"):
        to_radiograph(dataset)


def test_native_pixels_behind_those_of_the_header_are_refused() -> None:
    whole = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)

    with pytest.raises(FilmError, match="PixelData: 2400 bytes; Rows, Columns and BitsAllocated say 2040") as refusal:
        to_radiograph(film_dataset(whole, Rows=34))

    assert "pixels" == refusal.value.code


def test_an_odd_number_of_bytes_has_one_more_before_other_padding() -> None:
    whole = np.arange(35 * 5, dtype=np.uint8).reshape(35, 5)

    assert (whole == stored_values(film_dataset(whole, PixelData=whole.tobytes() + b"\0" + b"\xff" * 20))).all()


def test_pixel_data_without_a_value_are_absent() -> None:
    with pytest.raises(FilmError, match="PixelData: absent"):
        to_radiograph(film_dataset(np.zeros((4, 4), np.uint16), PixelData=None))


@pytest.mark.parametrize("padding", [b"\0", bytes(60), b"\xff" * 61])
def test_native_pixels_may_be_padded(padding: bytes) -> None:
    whole = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)

    assert (whole == stored_values(film_dataset(whole, PixelData=whole.tobytes() + padding))).all()


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"BitsAllocated": 12, "BitsStored": 12}, "BitsAllocated: 12; it is 1 or a multiple of 8 (PS3.5 8.1.1)"),
        ({"BitsAllocated": 32}, "PixelData: 2400 bytes; Rows, Columns and BitsAllocated say 4800 (PS3.5 8.1.1)"),
        ({"Rows": 50}, "PixelData: 2400 bytes; Rows, Columns and BitsAllocated say 3000 (PS3.5 8.1.1)"),
    ],
)
def test_native_pixels_that_are_not_as_their_header_says_name_the_rule(elements: dict[str, int], said: str) -> None:
    with pytest.raises(FilmError) as refusal:
        to_radiograph(film_dataset(np.zeros((40, 30), np.uint16), **elements))

    assert ("pixels", said) == (refusal.value.code, refusal.value.reason)


@pytest.mark.parametrize("has_table", [True, False])
def test_a_second_frame_that_nobody_counted_is_refused(has_table: bool) -> None:
    frame = cv2.imencode(".jpg", np.full((16, 16), 90, np.uint8))[1].tobytes()
    dataset = film_dataset(np.zeros((16, 16), np.uint8), PixelData=encapsulate([frame, frame], has_bot=has_table))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    with pytest.raises(FilmError, match="PixelData: 2 frames; a film has one frame") as refusal:
        to_radiograph(dataset)

    assert "frames" == refusal.value.code


def test_one_frame_may_come_in_fragments() -> None:
    frame = cv2.imencode(".jpg", np.arange(256, dtype=np.uint8).reshape(16, 16))[1].tobytes()
    dataset = film_dataset(np.zeros((16, 16), np.uint8))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([frame])
    whole = stored_values(dataset)

    dataset.PixelData = encapsulate([frame], fragments_per_frame=3)

    assert (whole == stored_values(dataset)).all()
