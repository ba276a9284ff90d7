"""From a finished data set to the bytes that are recorded: named by their content, checked, never changed."""

from __future__ import annotations

import hashlib
from io import BytesIO

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import VR

from structured_reports.errors import IdentityMismatchError
from structured_reports.header import REPAIRED, SourceHeader, carried_tags
from structured_reports.port import DICOM, ResultObject
from structured_reports.provenance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from structured_reports.uids import derived_uid


def sealed(kind: str, dataset: Dataset, header: SourceHeader, picture: bytes | None = None) -> ResultObject:
    """Return `dataset` as a Part 10 file.

    Raises
    ------
    IdentityMismatchError
        The file does not decode to the patient and study of the source.
    """
    dataset.SOPInstanceUID = _content_uid(dataset)
    content = _encoded(dataset)
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


def _content_uid(dataset: Dataset) -> str:
    """Return a UID that follows from everything else in the object: one UID, one content."""
    digest = hashlib.sha256(dataset.get("PixelData", b""))
    without_pixels = Dataset()
    without_pixels.set_original_encoding(False, True, dataset.original_character_set)
    for tag in dataset.keys():  # noqa: SIM118  iterating a data set decodes it
        if tag != 0x7FE00010:
            without_pixels[tag] = dataset.get_item(tag)
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, without_pixels)
    digest.update(buffer.getvalue())
    return derived_uid("instance", dataset.SOPClassUID, digest.hexdigest())


def _encoded(dataset: Dataset) -> bytes:
    dataset.file_meta = _file_meta(dataset)
    dataset.preamble = b"\0" * 128
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
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
