"""From a finished data set to the bytes that are recorded: named by their content, checked, never changed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from io import BytesIO

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import VR

from structured_reports.errors import IdentityMismatchError
from structured_reports.header import REPAIRED, SourceHeader, carried_tags
from structured_reports.port import DICOM, ResultObject
from structured_reports.provenance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from structured_reports.uids import derived_uid

_UID, _PIXEL_DATA = 0x00080018, 0x7FE00010


def sealed(kind: str, dataset: Dataset, header: SourceHeader, picture: bytes | None = None) -> ResultObject:
    """Return `dataset` as a Part 10 file.

    Raises
    ------
    IdentityMismatchError
        The file does not decode to the patient and study of the source.
    """
    pixels = dataset.get("PixelData", b"")
    others = _written(dataset, lambda tag: tag != _PIXEL_DATA)
    before = len(_written(dataset, lambda tag: tag < _UID))
    after = len(_written(dataset, lambda tag: tag <= _UID))  # the same, but for a UID that only stands in
    dataset.SOPInstanceUID = _content_uid(dataset, pixels, others)
    content = _file(dataset, pixels, others[:before], others[after:])
    _check_identity(kind, content, header)
    return ResultObject(
        kind=kind,
        uid=dataset.SOPInstanceUID,
        media_type=DICOM,
        content=content,
        sop_class_uid=dataset.SOPClassUID,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        picture=picture,
    )


def _content_uid(dataset: Dataset, pixels: bytes, others: bytes) -> str:
    """Return a UID that follows from everything else in the object: one UID, one content."""
    digest = hashlib.sha256(pixels)
    digest.update(others)
    return derived_uid("instance", dataset.SOPClassUID, digest.hexdigest())


def _file(dataset: Dataset, pixels: bytes, before: bytes, after: bytes) -> bytes:
    """Return the file, with the UID and the pixels at their places among what is written already."""
    parts = [_head(dataset), before, _written(dataset, lambda tag: tag == _UID), after]
    if pixels:
        vr = dataset["PixelData"].VR.encode("ascii")
        # An element with a length of 32 bits (PS3.5 7.1.2), the last of the data set
        parts += [struct.pack("<HH2sHI", _PIXEL_DATA >> 16, _PIXEL_DATA & 0xFFFF, vr, 0, len(pixels)), pixels]
    return b"".join(parts)


def _head(dataset: Dataset) -> bytes:
    """Return preamble, prefix and File Meta Information (PS3.10 7.1)."""
    empty = Dataset()
    empty.file_meta, empty.preamble = _file_meta(dataset), b"\0" * 128
    buffer = BytesIO()
    dcmwrite(buffer, empty, enforce_file_format=True)
    return buffer.getvalue()


def _written(dataset: Dataset, is_wanted: Callable[[BaseTag], bool]) -> bytes:
    """Return some elements in explicit VR little endian."""
    part = Dataset()
    part.set_original_encoding(False, True, dataset.original_character_set)
    for tag in dataset.keys():  # noqa: SIM118  iterating a data set decodes it
        if is_wanted(tag):
            part[tag] = dataset.get_item(tag)
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, part)
    return buffer.getvalue()


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _check_identity(kind: str, content: bytes, header: SourceHeader) -> None:
    """Compare what a receiver will decode with what the source decodes to, character for character."""
    read = dcmread(BytesIO(content), stop_before_pixels=True)
    for tag in carried_tags(header.text):
        element = header.text[tag]
        if element.VR == VR.SQ or element.keyword in REPAIRED:
            continue
        if _decoded(read, element.keyword) != _decoded(header.text, element.keyword):
            raise IdentityMismatchError(f"{kind}: {element.keyword} does not decode to the value of the source")


def _decoded(dataset: Dataset, keyword: str) -> str:
    """Return a value as text; empty components at the end of a name are insignificant (PS3.5 6.2.1.1)."""
    value = str(dataset.get(keyword) or "")
    return value.rstrip("^") if keyword == "ReferringPhysicianName" else value
