"""One file, de-identified: header by the engine, pixels by their rules, and the audit before a byte is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_node.deidentify.audit import Kind, leaks
from dicom_node.deidentify.engine import deidentify
from dicom_node.deidentify.frame_comments import comments, is_harmless
from dicom_node.deidentify.image_kinds import is_image
from dicom_node.deidentify.jpeg_segments import MalformedFrameError
from dicom_node.deidentify.links import links_of
from dicom_node.deidentify.person import text_of
from dicom_node.deidentify.pixel_stream import (
    PixelElement,
    PixelStreamError,
    copy_pixels,
    fragment_heads,
    pixel_element,
)
from dicom_node.deidentify.pixel_text import TextDetector, places_in
from dicom_node.deidentify.pixels import Blank, Refuse, decide
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.reading import blanked, opened, require_length, require_order
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.rules import PixelRules
from dicom_node.deidentify.sound_frames import require_sound
from dicom_node.deidentify.vault import Vault
from dicom_node.deidentify.verdicts import Acted
from dicom_node.deidentify.writing import encoded, keep, stands
from dicom_node.errors import NodeError, is_from_disk

# What an option retains on purpose is no leak.
_RETAINED = {
    Option.RETAIN_FULL_DATES: Kind.DATE,
    Option.RETAIN_UIDS: Kind.UID,
    Option.RETAIN_DEVICE_IDENTITY: Kind.DEVICE,
    Option.RETAIN_INSTITUTION_IDENTITY: Kind.INSTITUTION,
}
_MOST_PLACES = 3
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(?:\.[0-9]+)*")
_STUDY = Tag("StudyInstanceUID")
_LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


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
    sop_class: str
    transfer_syntax: str
    acted: tuple[Acted, ...]
    is_new: bool


@dataclass(frozen=True)
class Deidentifier:
    """What is the same for every file."""

    profile: Profile
    pseudonyms: Pseudonyms
    rules: PixelRules = field(default_factory=PixelRules)
    vault: Vault | None = None
    detector: TextDetector | None = None

    def write(self, source: BinaryIO, target: Path) -> Written:
        """De-identify a file into a folder: `person/study/series/instance.dcm`, whole or not at all.

        Parameters
        ----------
        source
            Open and seekable. Of its pixels only a piece is in memory, or a frame of JPEG, unless they are deflated, or
            are compressed and to be blacked out.

        Raises
        ------
        RefusedError
            The file is no instance, its pixels may show who it is, it ends early, the audit found something, or a
            file of other content stands at its place.
        StartError
            The folder or the vault cannot be written.
        """
        source, original = opened(source)
        try:
            return self._written(source, original, target)
        except (RefusedError, PixelStreamError) as error:
            code = error.code if isinstance(error, RefusedError) else "truncated"
            raise RefusedError(code, str(error), self._study(original)) from error
        except NodeError:
            raise
        except Exception as error:
            if is_from_disk(error):
                raise
            # pydicom raises nearly anything at a malformed value, and its message quotes it.
            why = f"a value of its header is none of its kind ({type(error).__name__})"
            raise RefusedError("malformed", why, self._study(original)) from error

    def _written(self, source: BinaryIO, original: Dataset, target: Path) -> Written:
        profile, header = self.profile, original
        element = pixel_element(source, original)
        decision = decide(original, self.rules, pixels=element is not None)
        if isinstance(decision, Refuse):
            raise RefusedError(str(decision.code), decision.sentence)
        if isinstance(decision, Blank):
            source, header = blanked(source, original, element, decision.rectangles)
            element = pixel_element(source, header)
            profile = replace(profile, options=profile.options | {Option.CLEAN_PIXEL_DATA})
        _uids(original)
        require_length(header, element)
        if element is not None:
            require_order(source, header, element)
        if element is not None and element.length is None:
            _require_plain_frames(source, header, element)
        if self.detector and element is not None:
            self._require_no_text(source, header, self.detector)
        result = deidentify(header, profile, self.pseudonyms)
        made = result.dataset
        if Option.CLEAN_PIXEL_DATA in profile.options and element is not None and is_image(made):
            made.BurnedInAnnotation = "NO"
        written = self._audited(original, made)
        place = _place(made)
        if self.vault:
            # Before a byte leaves: what nobody could lead back must not be out.
            self.vault.keep(links_of(original, made))
        is_new = self._kept(target / place, written, source, element)
        return Written(
            place, made.get("StudyInstanceUID", ""), made.SOPInstanceUID, made.get("SOPClassUID", ""),
            made.file_meta.TransferSyntaxUID, result.acted, is_new,
        )  # fmt: skip

    def _require_no_text(self, source: BinaryIO, header: Dataset, detector: TextDetector) -> None:
        if places := places_in(source, header, detector):
            shown = ", ".join(f"{one.width}x{one.height} at {one.left},{one.top}" for one in places[:_MOST_PLACES])
            more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
            raise RefusedError("text", f"something is written in the pixels: {shown}{more}; look at it, or make a rule")

    def _audited(self, original: Dataset, made: Dataset) -> bytes:
        written = encoded(made)
        allowed = {kind for option, kind in _RETAINED.items() if option in self.profile.options}
        if found := leaks(original, written, allowed):
            raise RefusedError("audit", f"the audit found the value of {found[0].path} in what was to be written")
        return written

    def _kept(self, path: Path, header: bytes, source: BinaryIO, element: PixelElement | None) -> bool:
        def fill(file: BinaryIO) -> None:
            file.write(header)
            if element is not None:
                copy_pixels(source, element, file)

        if not path.exists():
            keep(path, fill)
            return True
        if not stands(path, fill):
            raise RefusedError("conflict", "a file of this SOP Instance UID and other content stands there already")
        return False

    def _study(self, original: Dataset) -> str:
        only = Dataset({tag: original.get_item(tag) for tag in original.keys() & {_STUDY}})
        study = str(deidentify(only, self.profile, self.pseudonyms).dataset.get("StudyInstanceUID", ""))
        return study if _UID.fullmatch(study) else ""


def _require_plain_frames(source: BinaryIO, header: Dataset, element: PixelElement) -> None:
    for frame in fragment_heads(source, element):
        try:
            is_plain = all(map(is_harmless, comments(frame)))
            if is_plain:
                require_sound(frame, header)
        except MalformedFrameError as error:
            raise RefusedError("frame", f"a compressed frame may carry more than its image: {error}") from error
        if not is_plain:
            raise RefusedError("comment", "a compressed frame carries a comment that no known encoder signs with")


def _place(made: Dataset) -> Path:
    """Return the place of an instance under the target."""
    study, series, instance = (uid or "unknown" for uid in _uids(made))
    return Path(text_of(made, "PatientID") or "unknown", study, series, f"{instance}.dcm")


def _uids(dataset: Dataset) -> list[str]:
    """Return the UIDs of study, series and instance; empty where one is absent.

    Raises
    ------
    RefusedError
        One is none (PS3.5 9.1): what a sender chose becomes no path and gets no pseudonym.
    """
    uids = {keyword: text_of(dataset, keyword) for keyword in _LEVELS}
    for keyword, uid in uids.items():
        if uid and not _UID.fullmatch(uid):
            raise RefusedError("malformed", f"{keyword} is not one UID (PS3.5 9.1)")
    return list(uids.values())
