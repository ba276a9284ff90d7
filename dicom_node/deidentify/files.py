"""One file, de-identified: header by the engine, pixels by their rules, and the audit before a byte is kept."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

from pydicom import config, dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from dicom_node.deidentify.audit import Kind, leaks
from dicom_node.deidentify.engine import Deidentified, deidentify
from dicom_node.deidentify.pixel_stream import PixelElement, PixelStreamError, copy_pixels, pixel_element
from dicom_node.deidentify.pixels import Blank, Refuse, decide
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.rules import PixelRules
from dicom_node.deidentify.verdicts import Acted
from dicom_node.durable import durable_folder, sync_folder

# What an option retains on purpose is no leak.
_RETAINED = {
    Option.RETAIN_FULL_DATES: Kind.DATE,
    Option.RETAIN_UIDS: Kind.UID,
    Option.RETAIN_DEVICE_IDENTITY: Kind.DEVICE,
    Option.RETAIN_INSTITUTION_IDENTITY: Kind.INSTITUTION,
}
_SYNTAXES = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
# Bits of native pixel data.
_FACTORS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")


class RefusedError(Exception):
    """A file that is not written.

    Attributes
    ----------
    code
        Short name of the reason, for counting.
    study
        Its study under the new UID, where that much is known.
    """

    def __init__(self, code: str, sentence: str, study: str = "") -> None:
        super().__init__(sentence)
        self.code, self.study = code, study


@dataclass(frozen=True)
class Written:
    """A file that was written, or stood there already.

    Attributes
    ----------
    path
        Under the target: person, study, series, instance.
    """

    path: Path
    study: str
    instance: str
    acted: tuple[Acted, ...]
    is_new: bool


@dataclass(frozen=True)
class Deidentifier:
    """What is the same for every file."""

    profile: Profile
    pseudonyms: Pseudonyms
    rules: PixelRules = field(default_factory=PixelRules)

    def write(self, source: BinaryIO, target: Path) -> Written:
        """De-identify a file into a folder: `person/study/series/instance.dcm`, whole or not at all.

        Parameters
        ----------
        source
            Open and seekable, at its start. Of its pixels only a piece is in memory, unless they are deflated or
            are to be blacked out.

        Raises
        ------
        RefusedError
            The file is no instance, its pixels may show who it is, it ends early, or the audit found something.
        """
        original = _header(source)
        if original.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            source = _inflated(source)
            original = _header(source)
        result = deidentify(original, self.profile, self.pseudonyms)
        study = str(result.dataset.get("StudyInstanceUID", ""))
        try:
            return self._written(source, original, result, target)
        except RefusedError as refusal:
            refusal.study = study
            raise
        except PixelStreamError as error:
            raise RefusedError("truncated", str(error), study) from error

    def _written(self, source: BinaryIO, original: Dataset, result: Deidentified, target: Path) -> Written:
        made = result.dataset
        place = _place(made)
        written = Written(place, made.get("StudyInstanceUID", ""), made.SOPInstanceUID, result.acted, is_new=True)
        element = pixel_element(source, original)
        decision = decide(original, self.rules, pixels=True if element else None)
        if isinstance(decision, Refuse):
            raise RefusedError(str(decision.code), decision.sentence)
        if isinstance(decision, Blank):
            raise RefusedError("blanking", "rectangles of its pixels are to be blacked out, which is not built")
        if _surplus(original, element):
            raise RefusedError("surplus", "Pixel Data (7FE0,0010) is longer than its image (PS3.5 8.1.1)")
        header = _encoded(made)
        allowed = {kind for option, kind in _RETAINED.items() if option in self.profile.options}
        if found := leaks(original, header, allowed):
            raise RefusedError("audit", f"the audit found the value of {found[0].path} in what was to be written")
        if (target / place).exists():
            return Written(place, written.study, written.instance, result.acted, is_new=False)

        def fill(file: BinaryIO) -> None:
            file.write(header)
            if element is not None:
                copy_pixels(source, element, file)

        _keep(target / place, fill)
        return written


def _header(source: BinaryIO) -> Dataset:
    """Return a file's data set up to its pixels, at which the file then stands."""
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE  # a warning would quote a value
    try:
        dataset = dcmread(source, stop_before_pixels=True, force=True)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise RefusedError("unreadable", f"cannot be read as DICOM ({type(error).__name__})") from error
    finally:
        config.settings.reading_validation_mode = before
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    meta = dataset.file_meta
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage or "DirectoryRecordSequence" in dataset:
        raise RefusedError("directory", "a DICOMDIR names patients; it is not taken over")
    if not (dataset.get("SOPClassUID") and dataset.get("SOPInstanceUID")):
        raise RefusedError("no-instance", "SOP Class UID or SOP Instance UID is absent: no DICOM instance")
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        meta.TransferSyntaxUID = _SYNTAXES[bool(implicit), bool(little)]
    return dataset


def _inflated(source: BinaryIO) -> BinaryIO:
    """Return a deflated file as one in Explicit VR Little Endian, in memory."""
    source.seek(0)
    try:
        dataset = dcmread(source)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    except Exception as error:
        raise RefusedError("unreadable", f"cannot be inflated ({type(error).__name__})") from error
    buffer.seek(0)
    return buffer


def _surplus(original: Dataset, element: PixelElement | None) -> bool:
    """Return whether more bytes follow than the image has: a frame that nobody counted, or a text."""
    if element is None or element.length is None:
        return False
    try:
        numbers = [int(original.get(keyword) or 1) for keyword in _FACTORS]
    except (TypeError, ValueError):
        return True
    bits = prod(numbers)
    if str(original.get("PhotometricInterpretation")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    length = (bits + 7) // 8
    return element.length > length + length % 2


def _place(made: Dataset) -> Path:
    names = (made.get(key) for key in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
    return Path(*(str(name or "unknown") for name in names), f"{made.SOPInstanceUID}.dcm")


def _encoded(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.preamble = bytes(128)
    try:
        made.save_as(buffer, enforce_file_format=True)
    except Exception as error:
        raise RefusedError("unwritable", f"what is left cannot be written ({type(error).__name__})") from error
    return buffer.getvalue()


def _keep(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    durable_folder(path.parent)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
