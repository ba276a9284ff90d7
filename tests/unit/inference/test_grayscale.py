"""The grayscale pipeline agrees with pydicom's functions and with the clauses that they leave out."""

from __future__ import annotations

import numpy as np
import pytest
from film_datasets import film_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless

from inference.errors import UnreadablePixelsError, UnsuitableFilmError
from inference.film import to_radiograph
from inference.grayscale import modality_values

STORED = arrays.arrays(np.uint16, (8, 8), elements=st.integers(0, 4095))
SIGNED = arrays.arrays(np.int16, (8, 8), elements=st.integers(-2048, 2047))


def lut(entries: np.ndarray, first: int, bits: int) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = entries.astype(np.uint16).tolist()
    return Sequence([item])


def oracle(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """Return pydicom's output with its output range at 0 to 1."""
    output = np.asarray(apply_voi_lut(apply_modality_lut(stored, dataset), dataset), float)
    if "VOILUTSequence" in dataset:
        return output / (2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    low, high = low * slope + intercept, high * slope + intercept
    if "ModalityLUTSequence" in dataset:
        low, high = 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    return (output - low) / (high - low)


@settings(deadline=None)
@given(
    STORED, st.floats(-100, 4000), st.floats(1, 5000), st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.sampled_from([(1.0, 0.0), (0.5, -1024.0), (2.5, 7.0)]),
)  # fmt: skip
def test_windows_of_every_function_agree_with_pydicom(
    stored: np.ndarray, center: float, width: float, function: str, line: tuple[float, float]
) -> None:
    dataset = film_dataset(
        stored, BitsStored=12, HighBit=11, WindowCenter=round(center, 3), WindowWidth=round(width, 3),
        VOILUTFunction=function, RescaleSlope=line[0], RescaleIntercept=line[1],
    )  # fmt: skip

    # float32 of a narrow window over thousands of levels
    tolerance = 1e-5 + 4e-3 / width * 12
    assert pytest.approx(oracle(dataset, stored), abs=tolerance) == to_radiograph(dataset).pixels


@settings(deadline=None)
@given(SIGNED)
def test_signed_values_agree_with_pydicom(stored: np.ndarray) -> None:
    dataset = film_dataset(stored, BitsStored=12, HighBit=11, WindowCenter=40, WindowWidth=400)

    assert pytest.approx(oracle(dataset, stored), abs=1e-4) == to_radiograph(dataset).pixels


@settings(deadline=None)
@given(STORED, st.integers(0, 500))
def test_a_voi_lut_agrees_with_pydicom_and_is_preferred_to_the_window(stored: np.ndarray, first: int) -> None:
    table = lut(np.linspace(0, 1023, 700) ** 2 // 1023, first, 10)
    dataset = film_dataset(stored, BitsStored=12, HighBit=11, VOILUTSequence=table, WindowCenter=1, WindowWidth=2)

    assert pytest.approx(oracle(dataset, stored), abs=1e-6) == to_radiograph(dataset).pixels


@settings(deadline=None)
@given(STORED)
def test_a_modality_lut_agrees_with_pydicom(stored: np.ndarray) -> None:
    table = lut(np.arange(4095, -1, -1) * 16, 0, 16)
    dataset = film_dataset(
        stored, BitsStored=12, HighBit=11, ModalityLUTSequence=table, WindowCenter=32000, WindowWidth=48000
    )

    assert pytest.approx(oracle(dataset, stored), abs=1e-5) == to_radiograph(dataset).pixels


RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50


def test_of_several_windows_the_first_is_taken() -> None:
    several = film_dataset(RAMP, WindowCenter=[1000, 40], WindowWidth=[2000, 400])
    first = film_dataset(RAMP, WindowCenter=1000, WindowWidth=2000)

    assert (to_radiograph(first).pixels == to_radiograph(several).pixels).all()


@pytest.mark.parametrize("width", [None, "", 0, -5])
def test_without_a_usable_width_the_range_of_values_is_shown(width: object) -> None:
    pixels = to_radiograph(film_dataset(RAMP + 700, WindowCenter=1000, WindowWidth=width)).pixels

    assert pytest.approx(np.linspace(0, 1, 64).reshape(8, 8), abs=1e-6) == pixels


def test_padding_is_black_and_outside_the_range_of_values() -> None:
    padded = RAMP + 700
    padded[0] = 65535
    radiograph = to_radiograph(film_dataset(padded, PixelPaddingValue=65535))

    assert not radiograph.pixels[0].any()
    assert radiograph.padding is not None
    assert radiograph.padding.sum() == 8
    assert pytest.approx((0.0, 1.0)) == (radiograph.pixels[1].min(), radiograph.pixels[7].max())


def test_a_padding_range_is_padding_from_end_to_end() -> None:
    radiograph = to_radiograph(film_dataset(RAMP, PixelPaddingValue=0, PixelPaddingRangeLimit=350))

    assert radiograph.padding is not None
    assert radiograph.padding.sum() == 8


def test_a_padding_value_written_without_sign_is_understood() -> None:
    signed = RAMP.astype(np.int16)
    signed[0] = -2000
    dataset = film_dataset(signed)
    dataset.add_new("PixelPaddingValue", "US", 63536)

    radiograph = to_radiograph(dataset)

    assert radiograph.padding is not None
    assert radiograph.padding.sum() == 8


def test_black_stays_black_beside_an_inverted_film() -> None:
    inverted = film_dataset(RAMP, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)

    assert to_radiograph(inverted).pixels[0, 0] == 0.0


@pytest.mark.parametrize(
    ("photometric", "shape", "is_inverted"),
    [
        ("MONOCHROME2", None, False), ("MONOCHROME1", None, True),
        ("MONOCHROME2", "IDENTITY", False), ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True), ("MONOCHROME1", "IDENTITY", False),
    ],
)  # fmt: skip
def test_a_film_is_inverted_once(photometric: str, shape: str | None, is_inverted: bool) -> None:
    dataset = film_dataset(RAMP, PhotometricInterpretation=photometric)
    if shape:
        dataset.PresentationLUTShape = shape

    assert is_inverted == bool(to_radiograph(dataset).pixels[0, 0] == 1.0)


def test_overlay_bits_above_bits_stored_do_not_change_the_film() -> None:
    plain = film_dataset(RAMP, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    marked = film_dataset(RAMP | 0x8000, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)

    assert (to_radiograph(plain).pixels == to_radiograph(marked).pixels).all()


def element(keyword: str, vr: str, value: object) -> Dataset:
    """Return a film with an element as the parser gives what it cannot read."""
    dataset = film_dataset(RAMP)
    dataset.add(DataElement(keyword, vr, value, already_converted=True))
    return dataset


@pytest.mark.parametrize("value", ["SECRETNAME", "1,0", "nan", "inf", ["SECRETNAME", "1"], b"SECRETNAME"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_line_that_is_none_is_refused_and_not_quoted(keyword: str, value: object) -> None:
    with pytest.raises(UnreadablePixelsError, match=f"^{keyword}: no number; it is a decimal number") as refusal:
        to_radiograph(element(keyword, "DS", value))

    assert "pixels" == refusal.value.code


@pytest.mark.parametrize("keyword", ["WindowCenter", "WindowWidth"])
def test_a_window_that_is_none_is_refused_and_not_quoted(keyword: str) -> None:
    with pytest.raises(UnreadablePixelsError, match=f"^{keyword}: no number; it is a decimal number"):
        to_radiograph(element(keyword, "DS", "SECRETNAME"))


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "WindowWidth", "PixelPaddingValue"])
def test_an_empty_element_counts_as_absent(keyword: str) -> None:
    plain = to_radiograph(film_dataset(RAMP))

    assert (plain.pixels == to_radiograph(film_dataset(RAMP, **{keyword: None})).pixels).all()


def test_a_slope_of_zero_is_refused() -> None:
    with pytest.raises(UnreadablePixelsError, match="RescaleSlope: 0; every value would be one"):
        to_radiograph(film_dataset(RAMP, RescaleSlope=0, RescaleIntercept=7))


def test_an_empty_slice_may_have_a_slope_of_zero() -> None:
    empty = modality_values(np.zeros((4, 4), np.uint16), film_dataset(RAMP, RescaleSlope=0, RescaleIntercept=7))

    assert (empty == 7.0).all()


def test_a_high_bit_below_its_place_changes_nothing() -> None:
    plain, slip = (to_radiograph(film_dataset(RAMP, **each)) for each in ({}, {"HighBit": 11}))

    assert (plain.pixels == slip.pixels).all()


def test_a_codestream_says_by_itself_where_its_bits_lie() -> None:
    dataset = film_dataset(RAMP.astype(np.uint16), BitsStored=12, HighBit=11)
    plain = to_radiograph(dataset)
    dataset.compress(JPEGLSLossless)
    dataset.HighBit = 15

    assert (plain.pixels == to_radiograph(dataset).pixels).all()


@pytest.mark.parametrize(
    ("vr", "value"), [("LO", "SECRETNAME"), ("UN", b"SECRETNAME"), ("UN", b"1234"), ("US", [17747, 21059])]
)
@pytest.mark.parametrize("keyword", ["PixelPaddingValue", "PixelPaddingRangeLimit"])
def test_padding_that_is_no_number_is_refused_and_not_quoted(keyword: str, vr: str, value: object) -> None:
    dataset = element(keyword, vr, value)
    if keyword == "PixelPaddingRangeLimit":
        dataset.PixelPaddingValue = 1
    with pytest.raises(UnreadablePixelsError, match=f"^{keyword}: no number; it is one number of VR US or SS"):
        to_radiograph(dataset)


def test_a_limit_without_a_padding_value_limits_nothing() -> None:
    plain, limited = to_radiograph(film_dataset(RAMP)), to_radiograph(element("PixelPaddingRangeLimit", "US", [0, 0]))

    assert (plain.pixels == limited.pixels).all()


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"BitsStored": 40, "HighBit": 39}, "BitsStored: 40; it is 1 to BitsAllocated, which is 16"),
        ({"BitsStored": 0, "HighBit": 0}, "BitsStored: 0; it is 1 to BitsAllocated, which is 16"),
        ({"BitsStored": 12, "HighBit": 15}, "HighBit: 15; it is one less than BitsStored, which is 12"),
        ({"PixelRepresentation": 5}, "PixelRepresentation: 5; it is 0 or 1"),
    ],
)
def test_bits_that_contradict_each_other_are_refused(elements: dict[str, object], said: str) -> None:
    with pytest.raises(UnreadablePixelsError, match=said) as refusal:
        to_radiograph(film_dataset(RAMP, **elements))

    assert "pixels" == refusal.value.code


def test_a_table_of_more_bits_than_entries_have_is_refused() -> None:
    with pytest.raises(UnreadablePixelsError, match="LUTDescriptor says 40 bits; an entry has 1 to 16"):
        to_radiograph(film_dataset(RAMP, VOILUTSequence=lut(np.arange(16), 0, 40)))


def test_a_film_of_nothing_but_padding_is_refused() -> None:
    with pytest.raises(UnsuitableFilmError, match="whole image is padding"):
        to_radiograph(film_dataset(np.zeros((8, 8), np.uint16), PixelPaddingValue=0))


def test_a_table_shorter_than_it_says_is_refused() -> None:
    table = lut(np.arange(16), 0, 12)
    table[0].LUTDescriptor = [4096, 0, 12]

    with pytest.raises(UnreadablePixelsError, match="LUTData has 16 entries"):
        to_radiograph(film_dataset(RAMP, VOILUTSequence=table))


def test_a_table_without_entries_is_refused() -> None:
    table = lut(np.arange(16), 0, 12)
    del table[0].LUTData

    with pytest.raises(UnreadablePixelsError, match="LUTData are required"):
        to_radiograph(film_dataset(RAMP, ModalityLUTSequence=table))
