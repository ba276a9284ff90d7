"""What the index needs to know of an instance, read from its first attributes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.errors import NotAnInstanceError, is_from_machine
from inference.deflated import read_instance
from inference.errors import FilmError

# PS3.4 Table B.2-1
CANNOT_UNDERSTAND = 0xC000
MISMATCH = 0xA900

_IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# Leading zeros are against the standard and common: taken and kept as they are, though no result can name them (FHIR
# has no such OID).
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_INDEXED = (*_IDENTIFIERS, "Modality", "ContributingEquipmentSequence")


def read_header(path: Path) -> Dataset:
    """Return the attributes that the index needs; pixels are not touched.

    Raises
    ------
    NotAnInstanceError
        Not a data set, one whose header inflates without end, or without the identifiers of an instance: 0xC000.
    OSError, MemoryError
        The disk or the machine, not the instance.
    """
    try:
        header = read_instance(path, stop_before_pixels=True, specific_tags=_INDEXED)
        # All of them: a sequence is decoded when somebody first asks for it.
        said = {keyword: str(header.get(keyword) or "") for keyword in _INDEXED}
    except FilmError as error:
        raise NotAnInstanceError(CANNOT_UNDERSTAND, error.reason) from error
    # pydicom raises nearly anything on a broken stream; whatever it is, this is not an instance.
    except Exception as error:
        if is_from_machine(error):
            raise
        raise NotAnInstanceError(CANNOT_UNDERSTAND, f"not a readable data set ({type(error).__name__})") from error
    for keyword in _IDENTIFIERS:
        value = said[keyword]
        if not value:
            raise NotAnInstanceError(CANNOT_UNDERSTAND, f"{keyword} is missing (PS3.3 C.7.2.1, C.7.3.1, C.12.1)")
        if not _UID.fullmatch(value):
            raise NotAnInstanceError(
                CANNOT_UNDERSTAND, f"{keyword} is not one UID of at most 64 digits and dots (PS3.5 9.1)"
            )
    return header


def data_set_offset(path: Path) -> int:
    """Return where the data set starts in a Part 10 file: after preamble and file meta information."""
    with path.open("rb") as file:
        start = file.read(144)
    # (0002,0000) UL 4: group length, always first (PS3.10 7.1)
    return 144 + int.from_bytes(start[140:144], "little")


def content_digest(path: Path) -> str:
    """Return the sha256 of the encoded data set, without file meta information."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(data_set_offset(path))
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
