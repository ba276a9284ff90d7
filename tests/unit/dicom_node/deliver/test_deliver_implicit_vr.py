"""Recorded data sets in the default transfer syntax."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from dicom_node.deliver import implicit_vr as module
from dicom_node.deliver.implicit_vr import implicit_vr

# Made with sequences of both kinds of length, private ones, 8 and 16 bit pixels, and text in several character sets.
FILES = ["CT_small.dcm", "test-SR.dcm", "SC_rgb.dcm", "SC_rgb_16bit.dcm", "examples_overlay.dcm"]
CHARSET_FILES = ["chrH31.dcm", "chrH32.dcm", "chrI2.dcm", "chrFrenMulti.dcm", "chrGreek.dcm"]


def explicit(ds: Dataset, *, undefined_lengths: bool = False) -> bytes:
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = undefined_lengths
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined_lengths
    return written(ds, is_implicit_vr=False)


def written(ds: Dataset, *, is_implicit_vr: bool) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, is_implicit_vr
    write_dataset(stream, ds)
    return stream.getvalue()


def data_set_of(path: str) -> bytes:
    content = Path(path).read_bytes()
    return content[144 + int.from_bytes(content[140:144], "little") :]


def read(data_set: bytes) -> Dataset:
    stream = DicomBytesIO(data_set)
    return read_dataset(stream, is_implicit_VR=True, is_little_endian=True)


def nested() -> Dataset:
    inner, outer, ds = Dataset(), Dataset(), Dataset()
    inner.CodeValue = "121071"
    outer.ConceptNameCodeSequence = [inner, Dataset()]
    ds.ContentSequence = [outer, Dataset()]
    ds.ConceptCodeSequence = []
    return ds


def decoded(ds: Dataset) -> list[tuple[int, object]]:
    """Return tags and values; of a private one the VR, and so the decoded value, is lost in Implicit VR."""
    return [(element.tag, element.value) for element in ds if not element.tag.is_private and element.VR != "SQ"]


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


@pytest.mark.parametrize("path", [get_testdata_file(name) for name in FILES])
def test_decoded_values_are_those_of_the_recorded_object(path: str) -> None:
    recorded, sent = dcmread(path), read(implicit_vr(data_set_of(path)))

    assert decoded(recorded) == decoded(sent)


@pytest.mark.parametrize("path", [get_charset_files(name)[0] for name in CHARSET_FILES])
def test_text_keeps_its_bytes(path: str) -> None:
    recorded, sent = dcmread(path), read(implicit_vr(data_set_of(path)))

    assert recorded.get_item("PatientName").value == sent.get_item("PatientName").value


@pytest.mark.parametrize("path", [get_charset_files(name)[0] for name in ["chrSQEncoding.dcm", "chrSQEncoding1.dcm"]])
def test_text_inside_a_sequence_keeps_its_bytes(path: str) -> None:
    recorded, sent = dcmread(path), read(implicit_vr(data_set_of(path)))
    names = [ds.RequestedProcedureCodeSequence[0].get_item("PatientName").value for ds in (recorded, sent)]

    assert names[0] == names[1]


@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_nested_and_empty_sequences_and_items_stay(undefined_lengths: bool) -> None:
    recorded = nested()

    assert recorded == read(implicit_vr(explicit(recorded, undefined_lengths=undefined_lengths)))


def test_the_length_of_sequences_when_recorded_does_not_matter() -> None:
    assert implicit_vr(explicit(nested())) == implicit_vr(explicit(nested(), undefined_lengths=True))


def test_a_private_sequence_stays_a_sequence() -> None:
    ds, item = Dataset(), Dataset()
    item.PatientID = "1"
    ds.add(DataElement(0x00090010, "LO", "TEST"))
    ds.add(DataElement(0x00091001, "SQ", Sequence([item])))

    assert read(implicit_vr(explicit(ds)))[0x00091001].VR == "SQ"


def test_an_empty_data_set_stays_empty() -> None:
    assert implicit_vr(b"") == b""


@pytest.mark.parametrize(
    ("data_set", "fault"),
    [
        (element(0x00100010, b"PN", b"AB")[:-1], "cut short"),
        (element(0x00100010, b"PN", b"AB") + b"\x10", "cut short"),
        (element(0x00100010, b"\0\0", b""), "value representation"),
        (element(0x00100000, b"UL", b"\0\0\0\0"), "group length"),
        (element(0x00100010, b"UN", b"")[:8] + b"\xff\xff\xff\xff", "undefined length"),
        (element(0x00081140, b"SQ", b"")[:8] + struct.pack("<I", 8) + element(0x00100010, b"PN", b""), "than items"),
        (element(0x00081140, b"SQ", b"")[:8] + struct.pack("<I", 4) + b"\xfe\xff\0\xe0\0\0\0\0", "last item"),
        (
            element(0x00081140, b"SQ", b"")[:8]
            + struct.pack("<I", 20)
            + b"\xfe\xff\0\xe0\x04\0\0\0"
            + element(0x00100010, b"PN", b"ABCD"),
            "last element",
        ),
    ],
)
def test_what_is_no_explicit_vr_or_would_be_falsified_is_refused(data_set: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        implicit_vr(data_set)


@pytest.mark.parametrize("spoiled", [b"1234", b"12"])
def test_what_does_not_read_as_what_was_recorded_is_refused(monkeypatch: pytest.MonkeyPatch, spoiled: bytes) -> None:
    ds, other = nested(), nested()
    other.ContentSequence[0].ConceptNameCodeSequence[0].CodeValue = spoiled.decode()
    monkeypatch.setattr(module, "_elements", lambda *_: written(other, is_implicit_vr=True))
    with pytest.raises(ValueError, match="does not read as what was recorded"):
        implicit_vr(explicit(ds))
