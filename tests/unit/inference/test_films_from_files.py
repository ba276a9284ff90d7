"""Every file gives a film or a clear refusal."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from film_datasets import film_dataset
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from inference.decoding import stored_values
from inference.errors import FilmError, UnreadablePixelsError, UnsuitableFilmError
from inference.film import display_pixels, read_film, to_radiograph
from inference.projection import allowed_attributes

RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
IDENTITY = ("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "SOPInstanceUID", "AccessionNumber")


def read_or_refused(path: Path) -> str:
    """Return what became of a file; anything but a film or a refusal is raised."""
    try:
        radiograph = read_film(path)
    except FilmError as refusal:
        assert refusal.code
        assert ":" in refusal.reason
        return refusal.code
    assert np.isfinite(radiograph.pixels).all()
    assert 0.0 <= radiograph.pixels.min() <= radiograph.pixels.max() <= 1.0
    return "film"


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_the_collection_gives_a_film_or_a_reason(dicom_files: Path) -> None:
    outcomes = [read_or_refused(path) for path in sorted(dicom_files.rglob("*")) if path.is_file()]

    known = {"film", "pixels", "syntax", "format", "photometric", "frames", "geometry"}
    assert known >= set(outcomes)
    assert outcomes.count("film") > 100


@pytest.mark.filterwarnings("ignore")
def test_plain_and_compressed_stored_values_equal_those_of_pydicom(dicom_files: Path) -> None:
    compared = 0
    for path in sorted(dicom_files.rglob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            ours, theirs = stored_values(dataset), dataset.pixel_array
        except Exception:  # noqa: S112 - only files that both read are compared
            continue
        compared += 1
        assert (ours == theirs).all(), path.name
    assert compared > 50


def test_twelve_bit_jpeg_is_close_to_the_lossless_form_of_the_same_film(dicom_files: Path) -> None:
    lossy = read_film(dicom_files / "radiograph" / "RG3_JPLY.dcm")
    lossless = read_film(dicom_files / "radiograph" / "RG3_J2KR.dcm")

    assert np.abs(lossy.pixels - lossless.pixels).mean() < 0.005


def test_what_a_twelve_bit_jpeg_overshoots_stays_the_lightest_or_darkest(dicom_files: Path) -> None:
    lossy = stored_values(pydicom.dcmread(dicom_files / "radiograph" / "RG3_JPLY.dcm")).astype(int)
    lossless = stored_values(pydicom.dcmread(dicom_files / "radiograph" / "RG3_J2KR.dcm")).astype(int)

    assert np.abs(lossy - lossless).max() < 100


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PixelSpacing": [0.4, 0.2]}, "PixelSpacing: 0.4 and 0.2"),
        ({"ImagerPixelSpacing": [0.1, 0.103]}, "ImagerPixelSpacing: 0.1 and 0.103"),
        ({"PixelSpacing": [0, 0.2], "ImagerPixelSpacing": [0.2, 0.1]}, "ImagerPixelSpacing: 0.2 and 0.1"),
        ({"PixelAspectRatio": [2, 1]}, "PixelAspectRatio: 2 and 1"),
        ({"PixelSpacing": [0.2, 0.201], "ImagerPixelSpacing": [0.4, 0.2], "PixelAspectRatio": [2, 1]}, None),
        ({"PixelSpacing": "", "PixelAspectRatio": [1, 1]}, None),
    ],
)
def test_a_film_whose_pixels_are_not_square_is_refused(
    tmp_path: Path, elements: dict[str, object], said: str | None
) -> None:
    film_dataset(RAMP, SOPInstanceUID="2.25.1", **elements).save_as(tmp_path / "film.dcm", enforce_file_format=True)

    if said is None:
        assert (8, 8) == read_film(tmp_path / "film.dcm").pixels.shape
        return
    with pytest.raises(UnsuitableFilmError) as refusal:
        read_film(tmp_path / "film.dcm")
    assert ("geometry", f"{said}; pixels of a film are square (PS3.3 C.7.6.3.1.7)") == (
        refusal.value.code,
        refusal.value.reason,
    )


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_lossless_form_gives_the_film_that_was_compressed(syntax: str) -> None:
    wide = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    dataset = film_dataset(wide, SOPInstanceUID="2.25.1", BitsStored=12, HighBit=11)
    plain = to_radiograph(dataset).pixels

    dataset.compress(syntax, generate_instance_uid=False)

    assert (plain == to_radiograph(dataset).pixels).all()


def test_the_clinical_film_is_shown_with_its_air_black(clinical_film: Path) -> None:
    radiograph = read_film(clinical_film)

    shown = display_pixels(radiograph)
    assert (np.uint8, (1955, 1841)) == (shown.dtype, shown.shape)
    # MONOCHROME1: the corner beside the neck is air, the spine is bone
    assert shown[100, 60] < 128
    assert shown[1000, 900] > 200


def test_no_identity_reaches_a_model(clinical_film: Path) -> None:
    attributes = read_film(clinical_film).attributes

    assert {"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}.items() <= attributes.items()
    assert not set(IDENTITY) & set(attributes)


def test_values_that_identify_are_not_among_the_attributes() -> None:
    dataset = film_dataset(RAMP, **dict.fromkeys(IDENTITY[:2], "Doe^Jane"), StudyDate="20260102")

    assert "Doe" not in "".join(allowed_attributes(dataset).values())


def test_neither_age_nor_sex_is_given() -> None:
    dataset = film_dataset(RAMP, PatientAge="003Y", PatientSex="F")

    assert not {"PatientAge", "PatientSex"} & set(to_radiograph(dataset).attributes)


def test_a_view_code_is_among_the_attributes() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399173006", "SCT", "left lateral"

    assert allowed_attributes(film_dataset(RAMP, ViewCodeSequence=[code]))["ViewCodeSequence"] == "399173006"


def test_a_radiograph_travels_to_another_process() -> None:
    radiograph = to_radiograph(film_dataset(RAMP))

    assert (pickle.loads(pickle.dumps(radiograph)).pixels == radiograph.pixels).all()  # noqa: S301 - our own bytes


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    dataset = film_dataset(RAMP, SOPInstanceUID="2.25.1")
    content = io.BytesIO()
    pydicom.dcmwrite(content, dataset, implicit_vr=False, little_endian=True)
    (tmp_path / "film").write_bytes(content.getvalue())

    assert (to_radiograph(dataset).pixels == read_film(tmp_path / "film").pixels).all()


@pytest.mark.parametrize(("suffix", "dtype", "white"), [("png", np.uint8, 255), ("png", np.uint16, 65535)])
def test_a_picture_keeps_its_levels(tmp_path: Path, suffix: str, dtype: type, white: int) -> None:
    picture = (np.linspace(0, 1, 64).reshape(8, 8) * white).astype(dtype)
    cv2.imwrite(str(tmp_path / f"film.{suffix}"), picture)

    assert pytest.approx(picture / white, abs=1e-6) == read_film(tmp_path / f"film.{suffix}").pixels


def test_a_picture_in_three_equal_channels_is_gray(tmp_path: Path) -> None:
    gray = RAMP.astype(np.uint8)
    cv2.imwrite(str(tmp_path / "film.png"), np.stack([gray] * 3, axis=2))

    assert pytest.approx(gray / 255.0, abs=1e-6) == read_film(tmp_path / "film.png").pixels


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "photometric"),
        ({"NumberOfFrames": 2}, "frames"),
    ],
)
def test_colour_and_several_frames_are_unsuitable(elements: dict[str, object], code: str) -> None:
    with pytest.raises(UnsuitableFilmError) as refusal:
        to_radiograph(film_dataset(RAMP, **elements))

    assert code == refusal.value.code


@pytest.mark.parametrize(
    ("elements", "code"),
    [({"PixelData": b"\0" * 10}, "pixels"), ({"Rows": None}, "pixels"), ({"PixelData": b""}, "pixels")],
)
def test_damaged_pixels_are_unreadable(elements: dict[str, object], code: str) -> None:
    with pytest.raises(UnreadablePixelsError) as refusal:
        to_radiograph(film_dataset(RAMP, **elements))

    assert code == refusal.value.code


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_stream_of_another_size_than_the_header_says_is_unreadable(syntax: str) -> None:
    wide = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    dataset = film_dataset(wide, SOPInstanceUID="2.25.1")
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.Rows, dataset.Columns = 20, 20

    with pytest.raises(UnreadablePixelsError):
        to_radiograph(dataset)


def test_an_unknown_transfer_syntax_is_named() -> None:
    dataset = film_dataset(RAMP)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.55"

    with pytest.raises(UnreadablePixelsError, match="no decoder for JPEG Full Progression") as refusal:
        to_radiograph(dataset)

    assert refusal.value.code == "syntax"


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePixelsError, match="file: Is a directory"):
        read_film(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nbroken", b"\xff\xd8\xffbroken", b"\0" * 4000])
def test_bytes_that_are_no_film_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film").write_bytes(content)

    with pytest.raises(UnreadablePixelsError):
        read_film(tmp_path / "film")


def test_an_element_of_another_length_than_its_vr_is_a_reason(tmp_path: Path) -> None:
    content = io.BytesIO()
    pydicom.dcmwrite(content, film_dataset(RAMP), implicit_vr=False, little_endian=True)
    # Columns (0028,0011) as UL of two bytes
    damaged = content.getvalue().replace(b"\x28\x00\x11\x00US", b"\x28\x00\x11\x00UL")
    (tmp_path / "film").write_bytes(damaged)

    with pytest.raises(UnreadablePixelsError):
        read_film(tmp_path / "film")
