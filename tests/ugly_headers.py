"""Headers as hospitals send them, ugly on purpose: bytes on the wire, not values that a library would let through."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from io import BytesIO

import pydicom
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

CR = b"1.2.840.10008.5.1.4.1.1.1"
ROWS, COLUMNS = 64, 48
CANARY = b"CANARY"
"""Part of every ugly value that names somebody: no message may hold it."""

_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC")

PLAIN: Mapping[str, bytes] = {
    "SOPClassUID": CR, "SOPInstanceUID": b"2.25.1", "StudyInstanceUID": b"2.25.2", "SeriesInstanceUID": b"2.25.3",
    "PatientName": b"Doe^Jane", "PatientID": b"P1", "PatientBirthDate": b"19600101", "PatientSex": b"F",
    "StudyDate": b"20260102", "StudyTime": b"030405", "StudyID": b"S1", "AccessionNumber": b"A1",
    "ReferringPhysicianName": b"Roe^Richard", "Modality": b"CR", "PatientOrientation": b"L\\F",
    "Rows": struct.pack("<H", ROWS), "Columns": struct.pack("<H", COLUMNS),
}  # fmt: skip

_LONG_NAME = CANARY + b"^" + b"x" * 60
_TEXTS = (None, b"", b" ", CANARY + b"\\TWO", CANARY + b"x" * 59, CANARY + b"\0", CANARY + b"\x1b$B", CANARY + b"\n")
_DATES = (None, b"", b"1980", b"1980.01.02", b"19801332", b"01/02/1980", b"19800102\\19800103", b"unknown", b"0")
_TIMES = (None, b"", b"03:04:05", b"0304", b"250000", b"noon", b"030405.1234567", b"030405\\030406")
_UIDS = (b"2.25.4", b"1.2.840." + b"9" * 57, b"1.2." + b"8" * 70, b"1.02.3", b"abc", b"2.25.4\0", b"2.25.5\\2.25.6")

UGLY: Mapping[str, tuple[bytes | None, ...]] = {
    "PatientName": (None, b"", CANARY, b"^^^", _LONG_NAME, CANARY + b"=" + CANARY, b"a=b=c=d=" + CANARY, b"\\" + CANARY,
                    CANARY + b"^a^b^c^d^e^f", CANARY + b"\\TWO", CANARY + b"\n"),
    "PatientID": _TEXTS,
    "PatientSex": (None, b"", b"m", b"f", b"U", b"X", b"male", b"M\\F", b" F"),
    "PatientBirthDate": _DATES,
    "PatientAge": (None, b"", b"45", b"045Y", b"45Y", b"045Y\\046Y", b"unknown"),
    "StudyDate": _DATES,
    "StudyTime": _TIMES,
    "StudyID": (None, b"", CANARY + b"x" * 20, b"S\\T", b"a\nb"),
    "AccessionNumber": (None, b"", CANARY + b"x" * 20, CANARY + b"\\TWO", CANARY + b"\n"),
    "StudyDescription": (None, b"", CANARY + b"x" * 59, CANARY + b"\\TWO", b"a\nb"),
    "ReferringPhysicianName": (None, b"", CANARY, _LONG_NAME, CANARY + b"\\TWO", b"^"),
    "IssuerOfPatientID": (None, b"", CANARY + b"x" * 59, CANARY + b"\\TWO"),
    "OtherPatientNames": (None, b"", CANARY + b"\\TWO", _LONG_NAME),
    "AdmissionID": (None, CANARY + b"x" * 59, CANARY + b"\\TWO"),
    "TypeOfPatientID": (None, b"", b"text", b"NONSENSE"),
    "PatientOrientation": (None, b"", b"L", b"L\\L", b"X\\Y", b"L\\F\\H", b"l\\f", b"LEFT\\FOOT", b"\\", b"P\\L"),
    "Modality": (None, b"", b"cr", b"CR\\DX", b"VERYLONGMODALITYNAME"),
    "Manufacturer": (None, b"", b"M" * 65, b"A\\B", b"M\xfcller"),
    "ManufacturerModelName": (None, b"N" * 65, b"A\\B"),
    "StationName": (None, b"S" * 17, b"A\\B"),
    "DeviceSerialNumber": (None, b"D" * 65, b"A\\B"),
    "BodyPartExamined": (None, b"", b"chest", b"CHEST\\LUNG", b"B" * 17),
    "Laterality": (None, b"", b"U", b"left", b"R\\L"),
    "TimezoneOffsetFromUTC": (None, b"", b"+0100", b"+1", b"+9900", b"+0100\\+0200"),
    "PixelSpacing": (None, b"", b"0\\0", b"0.1", b"-1\\1", b"a\\b", b"0.1\\0.2\\0.3", b"nan\\1"),
    "ImagerPixelSpacing": (None, b"0.1\\0.2", b"0\\0", b"1e400\\1"),
    "ImageOrientationPatient": (None, b"0\\0\\0\\0\\0\\0", b"1\\0\\0\\1\\0\\0", b"1\\0", b"x"),
    "WindowCenter": (None, b"", b"x", b"100\\200"),
    "WindowWidth": (None, b"", b"0", b"-5", b"100\\200"),
    "RescaleSlope": (None, b"", b"0", b"x"),
    "BitsStored": (None, b"", b"\xff\xff", b"\0"),
    "SeriesNumber": (None, b"", b"x", b"1\\2", b"99999999999"),
    "StudyInstanceUID": _UIDS,
    "SeriesInstanceUID": _UIDS,
    "SOPInstanceUID": _UIDS,
    "LossyImageCompression": (None, b"", b"1", b"01"),
    "LossyImageCompressionRatio": (None, b"x", b"10\\20"),
}  # fmt: skip
"""Keyword to what a modality was seen, or may be feared, to write there; None for an attribute that is missing."""

_NAMES = {
    b"": "Doe^Jane", b"ISO_IR 6": "Doe^Jane", b"ISO_IR 100": "Müller^Jörg", b"ISO_IR 144": "Люкceмбypг^Йoн",
    b"ISO_IR 192": "Wang^XiaoDong=王^小东", b"GB18030": "Wang^XiaoDong=王^小东", b"ISO_IR 126": "Διονυσιος",
}  # fmt: skip
_CODECS = {
    b"": "ascii", b"ISO_IR 6": "ascii", b"ISO_IR 100": "latin-1", b"ISO_IR 144": "iso8859-5", b"ISO_IR 192": "utf-8",
    b"GB18030": "gb18030", b"ISO_IR 126": "iso8859-7",
}  # fmt: skip
_YAMADA = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
_HONG = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"

RIGHT = [(charset, name.encode(_CODECS[charset])) for charset, name in _NAMES.items()] + [
    (b"\\ISO 2022 IR 87", _YAMADA),
    (b"\\ISO 2022 IR 149", _HONG),
    (b"ISO 2022 IR 6\\ISO 2022 IR 87", _YAMADA),
    (b"ISO 2022 IR 100\\ISO 2022 IR 144", b"M\xfcller^J\xf6rg"),
]
"""Character sets with a name in them."""

WRONG = [
    (b"ISO_IR 192", "Müller^Jörg".encode("latin-1")), (b"", "Müller^Jörg".encode()), (b"ISO_IR 6", b"\xc0\xe1\xd7"),
    (b"ISO_IR 100", "Люкceмбypг".encode("koi8-r")), (b"KOI8-R", "Люкceмбypг".encode("koi8-r")),
    (b"ISO_IR 999", b"\xe4"),
    (b"latin1", "Müller".encode("latin-1")), (b"ISO_IR 192\\ISO 2022 IR 87", _YAMADA), (b"GB18030", b"\xff\xfe\xff"),
    (b"\\ISO 2022 IR 87", b"Yamada=\x1b$B;3E"), (b"ISO 2022 IR 87", _YAMADA), (b"ISO_IR 13\\", b"\xd4\xcf\xc0\xde"),
]  # fmt: skip
"""Character sets that are none, or another than the name is written in."""


def encoded(elements: Mapping[str, bytes], *, wrong_vrs: Mapping[str, bytes] | None = None, more: bytes = b"") -> bytes:
    """Return elements in explicit VR little endian, sorted, after `more` in group 0009 and 0010 where that belongs."""
    rows = sorted((int(tag_for_keyword(keyword) or 0), keyword) for keyword in elements)
    body = b"".join(_element(tag, keyword, elements[keyword], wrong_vrs or {}) for tag, keyword in rows)
    head = b"".join(
        _element(tag, keyword, elements[keyword], wrong_vrs or {}) for tag, keyword in rows if tag < 0x90000
    )
    return head + more + body[len(head) :]


PRIVATE = (
    struct.pack("<HH2sH", 9, 0x10, b"LO", 8)
    + b"CANARY 1"
    + struct.pack("<HH2sHL", 9, 0x1001, b"UN", 0, 4)
    + b"\1\2\3\4"
)
"""A private block; its group lies between those of the image and of the patient."""


def header_of(data: bytes) -> Dataset:
    """Return a data set as it is read from a file."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CR.decode(), "2.25.1"
    buffer = BytesIO()
    pydicom.filewriter.write_file_meta_info(buffer, meta, enforce_standard=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(BytesIO(b"\0" * 128 + b"DICM" + buffer.getvalue() + data))


def _element(tag: int, keyword: str, value: bytes, wrong_vrs: Mapping[str, bytes]) -> bytes:
    vr = wrong_vrs.get(keyword) or dictionary_VR(tag).split(" ")[0].encode()
    value += (b"\0" if vr in (b"UI", *_LONG) else b" ") * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (struct.pack("<HL", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))) + value


@st.composite
def headers(draw: st.DrawFn) -> Dataset:
    """Draw a header with a few ugly attributes, the rest as it should be."""
    elements: dict[str, bytes] = dict(PLAIN)
    for keyword in draw(st.lists(st.sampled_from(sorted(UGLY)), max_size=5, unique=True)):
        value = draw(st.sampled_from(UGLY[keyword]))
        elements.pop(keyword, None)
        if value is not None:
            elements[keyword] = value
    charset, name = draw(st.sampled_from([(b"", elements.get("PatientName", b"")), *RIGHT, *WRONG]))
    elements["SpecificCharacterSet"], elements["PatientName"] = charset, name
    vrs = {
        "PatientID": (b"SH", b"UN", b"LT"),
        "StudyDate": (b"LO", b"UN"),
        "PatientName": (b"UN", b"LO"),
        "Rows": (b"SS",),
    }
    wrong = draw(st.sampled_from([None, None, *sorted(vrs)]))
    chosen = {wrong: draw(st.sampled_from(vrs[wrong]))} if wrong else {}
    return header_of(encoded(elements, wrong_vrs=chosen, more=draw(st.sampled_from([b"", PRIVATE]))))
