"""A value planted in every row of PS3.15 Table E.1-1, and what a tool made of it.

Shared by the tests of the engine and by the benchmark that compares it with other tools.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.deidentify.table import Row

CANARY = "ZEISIG77"
CANARIES: dict[str, object] = {
    "DA": "19561127", "TM": "101112.131415", "DT": "19561127101112.131415", "AS": "077Y", "DS": "77.123456",
    "IS": "77123456", "UI": "1.2.3.77.123.4", "UR": "http://zeisig77.example", "OB": CANARY.encode(),
    "OW": CANARY.encode(), "UN": CANARY.encode(), "FD": 77.123456789, "US": 47123, "AT": 0x47114712,
}  # fmt: skip


def tag_of(row: Row) -> Tag:
    return Tag(int(row.tag.replace("x", "0"), 16) | (0x00090000 if row.tag.startswith("xxxx") else 0))


def vr_of(row: Row) -> str:
    tag = tag_of(row)
    return dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "LO"


def planted(row: Row) -> DataElement:
    vr = vr_of(row)
    if vr == "SQ":
        item = Dataset()
        if "U*" in row.action:  # stays for its references, whose UIDs are mapped
            item.ReferencedSOPInstanceUID = CANARIES["UI"]
            return DataElement(tag_of(row), vr, Sequence([item]))
        item.CodeValue, item.CodeMeaning, item.PatientComments = CANARY, CANARY, CANARY
        return DataElement(tag_of(row), vr, Sequence([item]))
    return DataElement(tag_of(row), vr, CANARIES.get(vr, CANARY), validation_mode=0)


def top(element: DataElement) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset[element.tag] = element
    return dataset


def within(*tags: tuple[int, int]) -> Callable[[DataElement], Dataset]:
    def made(element: DataElement) -> Dataset:
        inner = Dataset()
        inner[element.tag] = element
        for tag in reversed(tags):
            outer = Dataset()
            if Tag(tag).is_private:
                outer.add_new((tag[0], tag[1] >> 8), "LO", "SOMEBODY 1.0")
            outer.add_new(tag, "SQ", Sequence([inner]))
            inner = outer
        inner.SOPClassUID = CTImageStorage
        return inner

    return made


# View Code and View Modifier Code, a private sequence, Shared Functional Groups and CT Image Frame Type.
CONTEXTS = {
    "top": ((), top),
    "two sequences deep": (((0x0054, 0x0220), (0x0054, 0x0222)), None),
    "a private sequence": (((0x0019, 0x1010),), None),
    "a functional group": (((0x5200, 0x9229), (0x0018, 0x9329)), None),
}


def written(dataset: Dataset) -> bytes:
    dataset.file_meta = dataset.file_meta if hasattr(dataset, "file_meta") else FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def found(dataset: Dataset, path: tuple[tuple[int, int], ...], tag: Tag) -> DataElement | None:
    for step in path:
        if step not in dataset:
            return None
        dataset = dataset[step].value[0]
    return dataset.get(tag)


def encoded(row: Row) -> bytes:
    value = CANARIES["UI"] if "U*" in row.action else CANARIES.get(vr_of(row), CANARY)
    return value if isinstance(value, bytes) else str(value).encode()


def obeys(row: Row, element: DataElement | None) -> bool:
    codes = set(row.action.replace("*", "").split("/"))
    if element is None:
        return "X" in codes
    if element.VR == "SQ":
        return bool(codes & {"Z", "D", "U"}) if element.value else "Z" in codes
    if element.is_empty:
        return "Z" in codes
    return bool(codes & {"Z", "D", "U"}) and element.value != CANARIES.get(element.VR, CANARY)


def outcome(row: Row, context: str, tool: Callable[[Dataset], Dataset]) -> str:
    """Return `ok`, `leak` where the value is still there, or `other action` where the row's code permits none such."""
    path, make = CONTEXTS[context]
    result = tool((make or within(*path))(planted(row)))
    element = found(result, path, tag_of(row))
    if encoded(row) in written(result) if len(encoded(row)) > 5 else element == planted(row):
        return "leak"
    removed_with_private = context == "a private sequence" and element is None
    return "ok" if removed_with_private or obeys(row, element) else "other action"


def outcomes(rows: Iterable[Row], context: str, tool: Callable[[Dataset], Dataset]) -> Counter[str]:
    """Return how often each outcome came about, and the rows of those that are not `ok`."""
    counted: Counter[str] = Counter()
    for row in rows:
        came = outcome(row, context, tool)
        counted[came] += 1
        if came != "ok":
            counted[f"{came}: {row.tag} {row.keyword} {row.action}"] += 1
    return counted
