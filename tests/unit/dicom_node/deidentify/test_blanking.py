"""Rectangles are black on display, and nothing else changed."""

from __future__ import annotations

import io
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from dicom_node.deidentify.image_kinds import has_embedded_overlay
from dicom_node.deidentify.pixels import blank
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.stored_pixels import UnblankableError
from inference.decoding import stored_values
from tests.conftest import package_file

PLACE = Rectangle(left=3, top=1, width=5, height=4)
NATIVE = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian,
          uid.ExplicitVRBigEndian]  # fmt: skip
# Photometric interpretation, samples, planar configuration, bits allocated, bits stored, signed.
KINDS = [
    ("MONOCHROME1", 1, 0, 8, 8, False), ("MONOCHROME1", 1, 0, 16, 12, False), ("MONOCHROME1", 1, 0, 16, 12, True),
    ("MONOCHROME2", 1, 0, 8, 8, False), ("MONOCHROME2", 1, 0, 8, 7, True), ("MONOCHROME2", 1, 0, 16, 12, False),
    ("MONOCHROME2", 1, 0, 16, 16, True), ("MONOCHROME2", 1, 0, 16, 12, True), ("MONOCHROME2", 1, 0, 32, 32, False),
    ("PALETTE COLOR", 1, 0, 8, 8, False), ("RGB", 3, 0, 8, 8, False), ("RGB", 3, 1, 8, 8, False),
    ("RGB", 3, 0, 16, 16, False), ("YBR_FULL", 3, 0, 8, 8, False), ("YBR_FULL", 3, 1, 8, 8, False),
    ("YBR_FULL_422", 3, 0, 8, 8, False),
]  # fmt: skip


def image(kind: tuple, syntax: str = uid.ExplicitVRLittleEndian, rows: int = 8, columns: int = 12, frames: int = 2):
    """Return an image of noise."""
    photometric, samples, planar, allocated, stored, signed = kind
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    big = syntax == uid.ExplicitVRBigEndian
    dataset.set_original_encoding(syntax == uid.ImplicitVRLittleEndian, not big, "iso8859")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid.UltrasoundMultiFrameImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "2.25.4711"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = samples, photometric
    if samples > 1:
        dataset.PlanarConfiguration = planar
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation = int(signed)
    if photometric == "PALETTE COLOR":
        noise = np.random.default_rng(7).permutation(np.arange(256, dtype="u2") * 257)
        for colour in ("Red", "Green", "Blue"):
            dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
            table = noise.astype(">u2" if big else "<u2").tobytes()
            dataset.add_new(f"{colour}PaletteColorLookupTableData", "OW", table)
    width = 2 if photometric == "YBR_FULL_422" else samples
    low = -(1 << (stored - 1)) if signed else 0
    values = np.random.default_rng(rows * columns).integers(low, low + (1 << stored), frames * rows * columns * width)
    pixels = values.astype(f"{'>' if big else '<'}{'i' if signed else 'u'}{allocated // 8}").tobytes()
    vr = "OB" if allocated == 8 and syntax != uid.ImplicitVRLittleEndian else "OW"
    dataset.add_new("PixelData", vr, pixels + b"\0" * (len(pixels) % 2))
    return dataset


def read_back(dataset: Dataset) -> Dataset:
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(written.getvalue()))


def pixels_of(dataset: Dataset) -> np.ndarray:
    """Return the stored values, (frames, rows, columns, samples), in the colours of the codec."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = pydicom.pixels.pixel_array(dataset, raw=True)
    return array.reshape(int(dataset.get("NumberOfFrames") or 1), dataset.Rows, dataset.Columns, -1)


def inside(dataset: Dataset, *places: Rectangle, pairs: bool = False) -> np.ndarray:
    mask = np.zeros((int(dataset.get("NumberOfFrames") or 1), dataset.Rows, dataset.Columns), bool)
    for place in places:
        left, right = (place.left // 2 * 2, (place.right + 1) // 2 * 2) if pairs else (place.left, place.right)
        mask[:, place.top : place.bottom, left:right] = True
    return mask


def assert_black(dataset: Dataset, samples: np.ndarray) -> None:
    """Check by the standard's own display pipeline; `samples` is (pixels, samples)."""
    photometric = dataset.PhotometricInterpretation
    low = -(1 << (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
    if photometric == "PALETTE COLOR":
        palette = apply_color_lut(np.arange(256, dtype="u1").reshape(1, -1), dataset)[0].sum(axis=-1)
        assert {int(palette.min())} == set(palette[samples[:, 0]])
    elif photometric.startswith("YBR"):
        assert not convert_color_space(samples.reshape(1, -1, 3), "YBR_FULL", "RGB").any()
    elif photometric == "MONOCHROME1":
        assert {low + (1 << dataset.BitsStored) - 1} == set(samples[:, 0].tolist())
    else:
        assert {0 if photometric == "RGB" else low} == set(samples.ravel().tolist())


def check(source: Dataset, *places: Rectangle) -> Dataset:
    """Blank, write, read; compare with the source in and outside the rectangles, and return what was read."""
    before, header = pixels_of(source), deepcopy({e.tag: e.value for e in source if e.tag != "PixelData"})
    result = read_back(blank(source, places))
    native = not source.file_meta.TransferSyntaxUID.is_encapsulated
    mask = inside(source, *places, pairs=native and source.PhotometricInterpretation == "YBR_FULL_422")
    after = pixels_of(result)

    assert np.array_equal(before[~mask], after[~mask])
    assert_black(result, after[mask])
    assert header == {e.tag: e.value for e in source if e.tag != "PixelData"}, "the source was changed"
    assert np.array_equal(before, pixels_of(source)), "the source was changed"
    return result


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_native_pixels_are_blanked_in_their_syntax(kind: tuple, syntax: uid.UID) -> None:
    result = check(image(kind, syntax), PLACE)

    assert syntax == result.file_meta.TransferSyntaxUID
    assert "NO" == result.BurnedInAnnotation


@given(
    kind=st.sampled_from(KINDS),
    rows=st.integers(1, 9),
    pairs=st.integers(1, 5),
    frames=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_bytes_outside_stay_and_inside_is_black(
    kind: tuple, rows: int, pairs: int, frames: int, data: st.DataObject
) -> None:
    columns = 2 * pairs
    places = []
    for _ in range(data.draw(st.integers(1, 3))):
        left, top = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
        width, height = data.draw(st.integers(1, columns - left)), data.draw(st.integers(1, rows - top))
        places.append(Rectangle(left=left, top=top, width=width, height=height))

    check(image(kind, rows=rows, columns=columns, frames=frames), *places)


@given(st.binary(min_size=96, max_size=96), st.booleans())
def test_bits_beside_the_pixels_stay_outside_the_rectangles(noise: bytes, signed: bool) -> None:
    source = image(("MONOCHROME2", 1, 0, 16, 12, signed), rows=6, columns=8, frames=1)
    source.PixelData = noise
    place = Rectangle(left=2, top=1, width=3, height=2)

    before = np.frombuffer(noise, "<u2").reshape(6, 8)
    after = np.frombuffer(blank(source, (place,)).PixelData, "<u2").reshape(6, 8)

    mask = inside(source, place)[0]
    assert np.array_equal(before[~mask], after[~mask])
    assert {0xF800 if signed else 0} == set(after[mask].tolist())


def test_an_overlay_in_the_bits_beside_the_pixels_is_cleaned_everywhere() -> None:
    source = image(("MONOCHROME2", 1, 0, 16, 12, True), frames=1)
    clean = np.frombuffer(source.PixelData, "<i2")
    overlaid = clean.view("<u2") ^ 0x4000
    source.PixelData = overlaid.tobytes()
    source.add_new((0x6000, 0x0102), "US", 14)

    result = blank(source, ())

    assert np.array_equal(clean, np.frombuffer(result.PixelData, "<i2"))
    assert "BurnedInAnnotation" not in result


def test_values_in_the_upper_bits_are_blanked_there() -> None:
    source = image(("MONOCHROME1", 1, 0, 16, 12, False), frames=1)
    source.HighBit = 15
    source.PixelData = b"\0" * len(source.PixelData)

    values = np.frombuffer(blank(source, (PLACE,)).PixelData, "<u2").reshape(8, 12)

    assert {0xFFF0} == set(values[1:5, 3:8].ravel().tolist())


def test_a_falling_rescale_turns_black_round() -> None:
    source = image(("MONOCHROME2", 1, 0, 16, 12, False), frames=1)
    source.RescaleSlope, source.RescaleIntercept = -1, 4095

    assert {4095} == set(pixels_of(blank(source, (PLACE,)))[0, 1:5, 3:8].ravel().tolist())


LOSSLESS = {uid.RLELossless: uid.RLELossless, uid.JPEGLSLossless: uid.JPEGLSLossless,
            uid.JPEG2000Lossless: uid.JPEG2000Lossless}  # fmt: skip
COMPRESSIBLE = [kind for kind in KINDS if kind[0] != "YBR_FULL_422" and kind[2] == 0 and kind[3] < 32]


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("kind", COMPRESSIBLE, ids=str)
def test_what_was_compressed_without_loss_stays_so_in_its_syntax(kind: tuple, syntax: uid.UID) -> None:
    source = image(kind, rows=32, columns=48)
    try:
        source.compress(syntax, generate_instance_uid=False)
    except ValueError:
        assert (kind[0], syntax) == ("YBR_FULL", uid.JPEG2000Lossless)  # not to be had in that syntax
        return

    result = check(read_back(source), PLACE)

    assert syntax == result.file_meta.TransferSyntaxUID
    assert "LossyImageCompression" not in result


def jpeg(mode: str, photometric: str, frames: int = 3) -> Dataset:
    noise = np.random.default_rng(1).integers(0, 256, (frames, 32, 48, 3), dtype="u1")
    source = image((photometric, 3 if mode == "RGB" else 1, 0, 8, 8, False), rows=32, columns=48, frames=frames)
    encoded = []
    for frame in noise:
        stream = io.BytesIO()
        Image.fromarray(frame).convert(mode).save(stream, "JPEG", quality=60)
        encoded.append(stream.getvalue())
    source.PixelData = encapsulate(encoded)
    source["PixelData"].VR, source["PixelData"].is_undefined_length = "OB", True
    source.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    return source


@pytest.mark.parametrize(
    ("mode", "photometric", "expected"),
    [
        ("L", "MONOCHROME1", "MONOCHROME1"),
        ("L", "MONOCHROME2", "MONOCHROME2"),
        ("RGB", "YBR_FULL_422", "YBR_FULL"),
        ("RGB", "YBR_FULL", "YBR_FULL"),
    ],
)
def test_a_lossy_jpeg_loses_nothing_more_and_stays_marked(mode: str, photometric: str, expected: str) -> None:
    result = check(jpeg(mode, photometric), PLACE)

    assert uid.ExplicitVRLittleEndian == result.file_meta.TransferSyntaxUID
    assert (expected, "01", "ISO_10918_1") == (
        result.PhotometricInterpretation,
        result.LossyImageCompression,
        result.LossyImageCompressionMethod,
    )
    assert 1 < float(result.LossyImageCompressionRatio) < 10


@pytest.mark.parametrize("name", ["nm_pt/JPGExtended.dcm", "radiograph/RG3_JPLY.dcm", "radiograph/XA1_JPLY.dcm"])
def test_a_jpeg_of_twelve_bits_loses_nothing_more(test_data: Path, name: str) -> None:
    source = pydicom.dcmread(test_data / "dicom" / name)
    before = stored_values(source)

    result = read_back(blank(source, (PLACE,)))

    mask = inside(result, PLACE)
    assert np.array_equal(before[~mask[0]], pixels_of(result)[~mask][:, 0])
    assert_black(result, pixels_of(result)[mask])
    assert (uid.ExplicitVRLittleEndian, "01", source.BitsStored) == (
        result.file_meta.TransferSyntaxUID,
        result.LossyImageCompression,
        result.BitsStored,
    )


def test_a_damaged_scan_is_not_written_anew_as_a_sound_one() -> None:
    source = jpeg("L", "MONOCHROME2")
    frames = list(generate_frames(source.PixelData, number_of_frames=3))
    middle = len(frames[1]) // 2 + 200
    frames[1] = frames[1][:middle] + bytes(range(200)) + frames[1][middle + 200 :]
    source.PixelData = encapsulate(frames)

    with pytest.raises(UnblankableError, match="cannot be decoded: a damaged JPEG"):
        blank(source, (PLACE,))


def test_a_ratio_that_is_known_stays() -> None:
    source = jpeg("L", "MONOCHROME2")
    source.LossyImageCompression, source.LossyImageCompressionRatio = "01", ["3.5", "12"]

    assert [3.5, 12] == list(blank(source, (PLACE,)).LossyImageCompressionRatio)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", uid.ExplicitVRLittleEndian),  # JPEG lossless
        ("JPEGLSNearLossless_16.dcm", uid.JPEGLSLossless),
        ("SC_rgb_gdcm_KY.dcm", uid.JPEG2000Lossless),  # JPEG 2000, lossy
        ("J2K_pixelrep_mismatch.dcm", uid.JPEG2000Lossless),
        ("GDCMJ2K_TextGBR.dcm", uid.JPEG2000Lossless),  # YBR_RCT
    ],
)
def test_other_syntaxes_are_written_without_loss(name: str, target: uid.UID) -> None:
    result = check(pydicom.dcmread(package_file(name)), PLACE)

    assert target == result.file_meta.TransferSyntaxUID


def test_the_icon_and_stale_extremes_go() -> None:
    source = image(("MONOCHROME2", 1, 0, 8, 8, False))
    source.IconImageSequence = [Dataset()]
    source.add_new("SmallestImagePixelValue", "US", 3)

    result = blank(source, (PLACE,))

    assert "IconImageSequence" not in result
    assert "SmallestImagePixelValue" not in result
    assert "IconImageSequence" in source


def changed(**attributes: object) -> Dataset:
    source = image(("MONOCHROME2", 1, 0, 16, 12, False))
    for keyword, value in attributes.items():
        if value is None:
            delattr(source, keyword)
        else:
            setattr(source, keyword, value)
    return source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (changed(Rows=4), "leaves the image of 4 rows"),
        (changed(PixelData=b"\0" * 100), "Pixel Data has 100 bytes; its attributes ask for 384"),
        (changed(PixelData=b"\1" * 576), "Pixel Data has 576 bytes; its attributes ask for 384"),
        (changed(PixelData=None), "there is no Pixel Data"),
        (changed(BitsAllocated=12), "Bits Allocated 12"),
        (changed(BitsStored=17), "Bits Stored 17 and High Bit 11"),
        (changed(BitsStored=None), "lacks an attribute of Type 1"),
        (changed(PhotometricInterpretation="HSV"), "HSV with 1 samples has no known black"),
        (changed(PhotometricInterpretation="PALETTE COLOR"), "the palette cannot be read"),
    ],
)
def test_what_cannot_be_blanked_is_refused_by_name(source: Dataset, message: str) -> None:
    with pytest.raises(UnblankableError, match=message):
        blank(source, (PLACE,))


@pytest.mark.parametrize("frames", [1, 3])
def test_frames_that_nobody_counted_are_refused(frames: int) -> None:
    source = jpeg("L", "MONOCHROME2", frames=2)
    source.NumberOfFrames = frames

    with pytest.raises(UnblankableError):
        blank(source, (PLACE,))


def test_an_overlay_in_compressed_words_is_refused() -> None:
    source = image(("MONOCHROME2", 1, 0, 16, 12, False))
    source.compress(uid.RLELossless, generate_instance_uid=False)
    source.add_new((0x6000, 0x0102), "US", 14)

    with pytest.raises(UnblankableError, match="an overlay in the bits beside compressed pixels"):
        blank(source, ())


def test_what_is_not_a_codestream_is_refused() -> None:
    source = jpeg("L", "MONOCHROME2", frames=1)
    source.PixelData = encapsulate([b"no JPEG at all"])

    with pytest.raises(UnblankableError, match=r"JPEG Baseline .* cannot be decoded"):
        blank(source, (PLACE,))


def test_a_decoder_that_panics_is_a_refusal() -> None:
    source = image(("MONOCHROME2", 1, 0, 16, 12, False), frames=1)
    source.compress(uid.RLELossless, generate_instance_uid=False)
    two_segments = np.array([2, 64, 68] + [0] * 13, "<u4").tobytes()
    source.PixelData = encapsulate([two_segments + bytes([129, 0, 225, 0]) * 2])  # runs that are longer than the image

    with pytest.raises(UnblankableError, match=r"RLE Lossless cannot be decoded"):
        blank(source, (PLACE,))


def test_every_real_image_that_can_be_read_is_blanked_or_has_one_bit(test_data: Path) -> None:
    blanked = set()
    for path in sorted((test_data / "dicom").rglob("*.dcm")):
        if path.parent.name == "broken":
            continue
        try:
            source = pydicom.dcmread(path)
            before = pixels_of(source)
        except Exception:  # noqa: S112 - whatever pydicom makes of broken files
            continue
        if source.BitsAllocated == 1 or "PixelData" not in source:
            continue
        place = Rectangle(left=0, top=0, width=max(1, source.Columns // 2), height=max(1, source.Rows // 3))
        if has_embedded_overlay(source) and source.file_meta.TransferSyntaxUID.is_encapsulated:
            with pytest.raises(UnblankableError, match="overlay"):
                blank(source, (place,))
            continue
        result = blank(source, (place,))
        mask = inside(source, place, pairs=source.PhotometricInterpretation == "YBR_FULL_422")
        after = pixels_of(result)
        assert np.array_equal(before[~mask], after[~mask]), path.name
        assert 1 == len(np.unique(after[inside(source, place)], axis=0)), path.name
        blanked.add((source.file_meta.TransferSyntaxUID, source.PhotometricInterpretation))
    assert len(blanked) > 25
