"""What becomes of one attribute: by the table and the profile's options, else by the net."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicom_node.deidentify import safety, values
from dicom_node.deidentify.dates import moved
from dicom_node.deidentify.descriptors import cleaned
from dicom_node.deidentify.person import identifier, words
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.table import AttributeTypes, Row, Table, load_table, load_types
from dicom_node.deidentify.verdicts import Place, Verdict

_TEXT = safety.FREE_TEXT | safety.SHORT_TEXT | {"PN", "CS"}
_ESCAPE = b"\x1b"  # after it, ASCII bytes are letters of another character set (PS3.5 6.1.2.5.3)
_CODE_LENGTH = 16  # of SH (PS3.5 6.2)
# Empty by the table; a pseudonym is also allowed (Z: "may be a dummy value") and keeps a person's studies together.
_PSEUDONYMOUS = frozenset({"AccessionNumber", "StudyID"})
_PERSON = frozenset({"PatientID", "PatientName"})


@dataclass(frozen=True)
class Rules:
    """The profile's rules for one data set.

    Attributes
    ----------
    shift
        By how much dates are moved; None where they are not.
    identifying
        Words of this data set's names and identifiers, which no text may hold.
    """

    profile: Profile
    pseudonyms: Pseudonyms
    sop_class: str
    shift: timedelta | None
    identifying: AbstractSet[str]
    table: Table = field(default_factory=load_table)
    types: AttributeTypes = field(default_factory=load_types)

    def public(self, source: Dataset, tag: BaseTag, place: Place) -> Verdict:
        """Return what becomes of a public attribute."""
        row = self.table.row(int(tag))
        if place.dummy:
            return self._replaced(source[tag], "dummy item", "D", place)
        if row is None:
            return self._outside(source, tag)
        code, option = self.profile.action(row)
        if option is not None:
            verdict = self._retained(source[tag], code, option)
            if verdict is not None:
                return verdict
        return self._basic(source, tag, row, place)

    def private(self, source: Dataset, tag: BaseTag, creator: str) -> Verdict:
        """Return what becomes of a private attribute under the safe private option."""
        if not self.table.is_safe_private(creator.strip(), tag) or words(creator) & self.identifying:
            return Verdict(None, "private attribute")
        element = source[tag]
        if element.VR in {"UN", "SQ"} | safety.FREE_TEXT:
            return Verdict(None, "private attribute not understood")
        return self._by_vr(element)

    def disbelieved(self, source: Dataset, tag: BaseTag, place: Place) -> Verdict:
        """Return what becomes of an attribute whose VR is not that of the standard: its value is never kept."""
        row = self.table.row(int(tag))
        if row is None or self._code(row, place) != "D":
            return Verdict(None, "malformed VR")
        vr = dictionary_VR(tag).split(" or ")[0]
        return Verdict(DataElement(tag, vr, [] if vr == "SQ" else values.dummy(vr)), "malformed VR")

    def _code(self, row: Row, place: Place) -> str:
        return self.types.resolve(row.action, row.keyword, self.sop_class, place.sequence)

    def _basic(self, source: Dataset, tag: BaseTag, row: Row, place: Place) -> Verdict:
        code = self._code(row, place)
        rule = f"E.1-1 {code}"
        return Verdict(None, rule) if code == "X" else self._replaced(source[tag], rule, code, place)

    def _replaced(self, element: DataElement, rule: str, code: str, place: Place) -> Verdict:
        if element.VR == "UI":
            return self._mapped(element, rule)
        if element.VR == "SQ":
            return Verdict(values.made(element, []) if code == "Z" else element, rule, dummy=code == "D")
        if code == "Z":
            return Verdict(values.made(element, self._pseudonym(element, place) or None), rule)
        return Verdict(values.made(element, self._dummy(element)), rule)

    def _pseudonym(self, element: DataElement, place: Place) -> str:
        keyword, text = element.keyword, "\\".join(values.texts(element))
        if keyword in _PERSON:
            person = identifier(place.around)
            return self.pseudonyms.person(person) if person else ""
        return self.pseudonyms.code(keyword, text, _CODE_LENGTH) if text and keyword in _PSEUDONYMOUS else ""

    def _dummy(self, element: DataElement) -> object:
        text = "\\".join(values.texts(element)) if element.VR in {"LO", "SH"} else ""
        # The same specimen or device keeps one name through its objects.
        return self.pseudonyms.code(element.keyword, text, _CODE_LENGTH) if text else values.dummy(element.VR)

    def _mapped(self, element: DataElement, rule: str) -> Verdict:
        keyword = element.keyword

        def change(uid: str) -> str:
            return uid if values.names_a_kind(keyword, uid) else self.pseudonyms.uid(uid)

        if all(values.names_a_kind(keyword, uid) for uid in values.texts(element)):
            return Verdict(element)
        return Verdict(values.replaced(element, change), rule)

    def _retained(self, element: DataElement, code: str, option: Option) -> Verdict | None:
        """Return what an option keeps; None where it cannot be kept, and the Basic Profile has its way."""
        rule = f"{option} {code}"
        if option is Option.RETAIN_MODIFIED_DATES:
            return self._moved(element, rule)
        if element.VR == "SQ":
            return Verdict(element, rule)
        if code == "C":
            return self._cleaned(element, rule)
        if element.VR == "AS":
            return Verdict(values.replaced(element, values.aggregated_age), rule)
        return Verdict(element, rule) if self._may_be_kept(element) else None

    def _may_be_kept(self, element: DataElement) -> bool:
        if element.VR in safety.DATES:
            return _are_dates(element)
        if element.VR in _TEXT:
            return not self._names_somebody(element)
        return element.VR not in {"UN", "OB"}

    def _moved(self, element: DataElement, rule: str) -> Verdict | None:
        if self.shift is None or element.VR == "SQ":
            return None
        new = [moved(element.VR, text, self.shift) for text in values.texts(element)]
        if any(text is None for text in new):
            return None
        return Verdict(values.made(element, new[0] if len(new) == 1 else new or None), rule)

    def _cleaned(self, element: DataElement, rule: str) -> Verdict | None:
        if element.VR not in _TEXT - {"PN", "AE"}:
            return None
        new = [text for text in (cleaned(text, self.identifying) for text in values.texts(element)) if text]
        return Verdict(values.made(element, new[0] if len(new) == 1 else new), rule) if new else None

    def _outside(self, source: Dataset, tag: BaseTag) -> Verdict:
        if reason := safety.unknown(int(tag)):
            return Verdict(None, reason)
        raw = source.get_item(tag)
        if isinstance(raw, RawDataElement):
            vr = dictionary_VR(tag) if raw.VR in {None, "UN"} else raw.VR
            if not safety.well_formed(vr, raw.value or b""):
                return Verdict(None, "malformed value")
            # By far the most: kept without being decoded, unless the file mixes encodings and it would be miswritten.
            if raw.is_implicit_VR == source.original_encoding[0] and self._says_nothing(vr, raw.value or b""):
                return Verdict(raw)
        return self._by_vr(source[tag])

    def _says_nothing(self, vr: str, value: bytes) -> bool:
        if vr in safety.NUMBERS:
            return True
        plain = vr in safety.SHORT_TEXT and value.isascii() and _ESCAPE not in value
        return plain and not words(value.decode("ascii")) & self.identifying

    def _by_vr(self, element: DataElement) -> Verdict:
        vr = element.VR
        if vr == "UI":
            retained = Option.RETAIN_UIDS in self.profile.options
            return Verdict(element) if retained else self._mapped(element, "UID outside the table")
        if vr in safety.DATES:
            return self._date_outside(element)
        if vr in safety.NEVER_OUTSIDE:
            return Verdict(None, safety.NEVER_OUTSIDE[vr])
        named = vr in safety.SHORT_TEXT and self._names_somebody(element)
        return Verdict(None, "identifier in a text") if named else Verdict(element)

    def _date_outside(self, element: DataElement) -> Verdict:
        if Option.RETAIN_FULL_DATES in self.profile.options and _are_dates(element):
            return Verdict(element)
        gone = Verdict(None, "date outside the table")
        return self._moved(element, "date outside the table moved") or gone

    def _names_somebody(self, element: DataElement) -> bool:
        return any(words(text) & self.identifying for text in values.texts(element))


def _are_dates(element: DataElement) -> bool:
    return all(moved(element.VR, text, timedelta(0)) is not None for text in values.texts(element))
