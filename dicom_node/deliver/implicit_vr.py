"""The default transfer syntax for a recorded object, for a peer that takes no other (PS3.5 10.1)."""

from __future__ import annotations

from io import BytesIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR, VR

LONG_VRS = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_32)
VRS = frozenset(vr.value.encode() for vr in STANDARD_VR)

UNDEFINED = b"\xff\xff\xff\xff"
NO_LENGTH = b"\0\0\0\0"

ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0"
"""PS3.5 Table 7.5-3, Little Endian."""


def implicit_vr(data_set: bytes) -> bytes:
    """Return an Explicit VR Little Endian data set in Implicit VR Little Endian.

    Each value is copied byte for byte, for both order bytes alike (PS3.5 A.1, A.2); nothing is decoded.
    Sequences get undefined lengths: so a private one stays a sequence to a reader that does not know it.

    Raises
    ------
    ValueError
        Not Explicit VR Little Endian, or with what a copy would falsify: group lengths (retired, PS3.5 7.2),
        and UN of undefined length.
    """
    written = _elements(BytesIO(data_set), len(data_set))
    if not _same(_read(data_set, is_implicit_vr=False), _read(written, is_implicit_vr=True)):
        raise ValueError("what was written does not read as what was recorded")
    return written


def _elements(source: BytesIO, end: int | None) -> bytes:
    """Return the elements up to `end`; None: up to the delimiter of an item of undefined length."""
    elements = []
    while end is None or source.tell() < end:
        tag = _taken(source, 4)
        if tag == ITEM_END and end is None:
            _taken(source, 4)
            break
        elements.append(tag + _length_and_value(source, tag))
    _require(end is None or source.tell() == end, "an item or data set does not end with its last element")
    return b"".join(elements)


def _length_and_value(source: BytesIO, tag: bytes) -> bytes:
    vr = _taken(source, 2)
    _require(vr in VRS, "an element without a value representation (PS3.5 7.1.2)")
    _require(tag[2:] != b"\0\0", "a group length (PS3.5 7.2)")
    length = _taken(source, 6)[2:] if vr in LONG_VRS else _taken(source, 2) + b"\0\0"
    if vr == b"SQ":
        items = _items(source, _end(source, length))
        return UNDEFINED + items + SEQUENCE_END + NO_LENGTH if items else NO_LENGTH
    _require(length != UNDEFINED, "an undefined length outside a sequence")
    return length + _taken(source, int.from_bytes(length, "little"))


def _items(source: BytesIO, end: int | None) -> bytes:
    items = []
    while end is None or source.tell() < end:
        tag, length = _taken(source, 4), _taken(source, 4)
        if tag == SEQUENCE_END and end is None:
            break
        _require(tag == ITEM, "a sequence holds something else than items (PS3.5 7.5)")
        items.append(ITEM + UNDEFINED + _elements(source, _end(source, length)) + ITEM_END + NO_LENGTH)
    _require(end is None or source.tell() == end, "a sequence does not end with its last item")
    return b"".join(items)


def _end(source: BytesIO, length: bytes) -> int | None:
    return None if length == UNDEFINED else source.tell() + int.from_bytes(length, "little")


def _taken(source: BytesIO, count: int) -> bytes:
    taken = source.read(count)
    _require(len(taken) == count, "the data set is cut short")
    return taken


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ValueError(fault)


def _read(data_set: bytes, *, is_implicit_vr: bool) -> Dataset:
    return read_dataset(BytesIO(data_set), is_implicit_VR=is_implicit_vr, is_little_endian=True)


def _same(recorded: Dataset, written: Dataset) -> bool:
    """Return whether two data sets hold the same elements with the same bytes; no text is decoded."""
    ours, theirs = (dict(ds.items()) for ds in (recorded, written))
    sequences = {tag for tag, element in ours.items() if element.VR == VR.SQ}
    # Sequences last: to read one, pydicom decodes the Pixel Representation beside it.
    return (
        list(ours) == list(theirs)
        and all((ours[tag].value or b"") == (theirs[tag].value or b"") for tag in ours if tag not in sequences)
        and all(_same_items(recorded[tag], written[tag]) for tag in sequences)
    )


def _same_items(recorded: DataElement, written: DataElement) -> bool:
    ours, theirs = recorded.value or (), written.value or ()
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))
