"""What becomes of one attribute: by the table and the profile's options, else by the net."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicom_node.deidentify import safety, values
from dicom_node.deidentify.codes import are_standard, names_a_scheme
from dicom_node.deidentify.dates import moved
from dicom_node.deidentify.descriptors import cleaned
from dicom_node.deidentify.person import Identity, identifier
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.table import AttributeTypes, Row, Table, load_table, load_types
from dicom_node.deidentify.verdicts import Manner, Place, Verdict

_TEXT = safety.FREE_TEXT | safety.SHORT_TEXT | {"PN", "CS"}
_ESCAPE = b"\x1b"  # after it, ASCII bytes are letters of another character set (PS3.5 6.1.2.5.3)
# What a dummy of these stands for is told apart from others by a code.
_NAMED = frozenset({"LO", "SH", "UC", "UT"})
_CODE_LENGTH = 16  # of SH (PS3.5 6.2)
# Empty by the table; a pseudonym is also allowed (Z: "may be a dummy value") and keeps a person's studies together.
_PSEUDONYMOUS = frozenset({"AccessionNumber", "StudyID"})
# Numbers that only tell one from another; any other, such as Number of Frames, is what it is.
_NUMBERING = frozenset({
    "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "ReferencedSeriesNumber", "ReferencedInstanceNumber",
})  # fmt: skip
_PERSON = frozenset({"PatientID", "PatientName"})
_DESIGNATOR = 0x00080102
_PRIVATE_SCHEME = "99"  # what a private designator begins with (PS3.3 8.2)


@dataclass(frozen=True)
class Rules:
    """The profile's rules for one data set.

    Attributes
    ----------
    shift
        By how much dates are moved; None where they are not.
    identity
        What names somebody in this data set, which no text may hold.
    """

    profile: Profile
    pseudonyms: Pseudonyms
    sop_class: str
    shift: timedelta | None
    identity: Identity
    table: Table = field(default_factory=load_table)
    types: AttributeTypes = field(default_factory=load_types)

    def public(self, source: Dataset, tag: BaseTag, place: Place) -> Verdict:
        """Return what becomes of a public attribute."""
        row = self.table.row(int(tag))
        if place.manner is Manner.DUMMY:
            return self._in_dummy(source[tag], row, place)
        if int(tag) == _DESIGNATOR and self._is_of_a_site(source[tag]):
            return Verdict(values.replaced(source[tag], self._private_scheme), "coding scheme of a site")
        if row is None:
            return self._outside(source, tag, place)
        code, option = self.profile.action(row)
        if option is not None:
            verdict = self._retained(source[tag], code, option)
            if verdict is not None:
                return verdict
        return self._basic(source, tag, row, place)

    def _in_dummy(self, element: DataElement, row: Row | None, place: Place) -> Verdict:
        """Return what becomes of an attribute in a dummy: what makes it one of its kind stays, no value does."""
        if row is None and element.VR == "CS" and not self._names_somebody(element):
            return Verdict(element)
        if row is None and element.VR == "SQ" and are_standard(element):
            return Verdict(element)
        return self._replaced(element, "dummy item", "D", place)

    def private(self, source: Dataset, tag: BaseTag, creator: str) -> Verdict:
        """Return what becomes of a private attribute under the safe private option."""
        if not self.table.is_safe_private(creator.strip(), tag) or self.identity.stands_in(creator):
            return Verdict(None, "private attribute")
        element = source[tag]
        if element.VR in {"UN", "SQ"} | safety.FREE_TEXT:
            return Verdict(None, "private attribute not understood")
        return self._by_vr(element, "X")

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
            items = Manner.DUMMY if code == "D" else Manner.AS_USUAL
            return Verdict(values.made(element, []) if code == "Z" else element, rule, items)
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
        vr, many = element.VR, max(element.VM, 1)
        if vr in safety.NUMBERS:
            return values.dummy(vr) if many == 1 else [values.dummy(vr)] * many
        text = "\\".join(values.texts(element)) if vr in _NAMED else ""
        # The same specimen or device keeps one name through its objects.
        return self.pseudonyms.code(element.keyword, text, _CODE_LENGTH) if text else values.dummy(vr)

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
            return Verdict(element, rule, Manner.CLEANED if code == "C" else Manner.AS_USUAL)
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
        new = [text for text in (cleaned(text, self.identity.words) for text in values.texts(element)) if text]
        return Verdict(values.made(element, new[0] if len(new) == 1 else new), rule) if new else None

    def _outside(self, source: Dataset, tag: BaseTag, place: Place) -> Verdict:
        if reason := safety.unknown(int(tag)) or safety.misplaced(int(tag), place.sequence):
            return Verdict(None, reason)
        raw = source.get_item(tag)
        if isinstance(raw, RawDataElement):
            vr = dictionary_VR(tag) if raw.VR in {None, "UN"} else raw.VR
            if not safety.well_formed(int(tag), vr, raw.value or b""):
                return Verdict(None, "malformed value")
            # By far the most: kept without being decoded, unless the file mixes encodings and it would be miswritten.
            is_plain = raw.is_implicit_VR == source.original_encoding[0] and self._says_nothing(vr, raw.value or b"")
            if is_plain and not (place.manner is Manner.CLEANED and vr in _TEXT):
                return Verdict(raw)
        element = source[tag]
        if place.manner is Manner.CLEANED and (verdict := self._in_cleaned(element, place)):
            return verdict
        if safety.most_values(int(tag)) < element.VM:
            return Verdict(None, "malformed value")
        return self._by_vr(element, self.types.resolve("X/Z/D", element.keyword, self.sop_class, place.sequence))

    def _is_of_a_site(self, element: DataElement) -> bool:
        """Return whether a coding scheme is in no table and no maker's; its name may be that of a hospital."""
        if Option.RETAIN_INSTITUTION_IDENTITY in self.profile.options or names_a_scheme(element):
            return False
        return any(
            not text.startswith(_PRIVATE_SCHEME) or self.identity.has_word_in(text)
            for text in values.texts(element)
            if text
        )

    def _private_scheme(self, designator: str) -> str:
        code = self.pseudonyms.code("CodingSchemeDesignator", designator, _CODE_LENGTH - len(_PRIVATE_SCHEME))
        return _PRIVATE_SCHEME + code

    def _in_cleaned(self, element: DataElement, place: Place) -> Verdict | None:
        """Return what becomes of a text or a sequence in what is cleaned; None of all else."""
        if element.VR == "SQ":
            return Verdict(element, items=Manner.AS_USUAL if are_standard(element) else Manner.CLEANED)
        if element.VR not in _TEXT - {"CS"} or names_a_scheme(element):
            return None
        rule = f"{Option.CLEAN_STRUCTURED_CONTENT} C"
        code = self.types.resolve("X/Z/D", element.keyword, self.sop_class, place.sequence)
        return self._cleaned(element, rule) or self._unnamed(element, code, rule)

    def _says_nothing(self, vr: str, value: bytes) -> bool:
        if vr in safety.NUMBERS:
            return vr != "IS" or value.decode("ascii", "replace").strip() not in self.identity.phrases
        plain = vr in safety.SHORT_TEXT and value.isascii() and _ESCAPE not in value
        return plain and not self.identity.stands_in(value.decode("ascii"))

    def _by_vr(self, element: DataElement, code: str) -> Verdict:
        """Return what becomes of an attribute outside the table; `code` is for one that names somebody."""
        vr = element.VR
        if vr == "UI":
            retained = Option.RETAIN_UIDS in self.profile.options
            return Verdict(element) if retained else self._mapped(element, "UID outside the table")
        if vr in safety.DATES:
            return self._date_outside(element)
        if vr in safety.NEVER_OUTSIDE:
            return self._unnamed(element, "X" if vr == "UN" else code, safety.NEVER_OUTSIDE[vr])
        if vr == "IS" and element.keyword in _NUMBERING and self._names_somebody(element):
            numbers = [self.pseudonyms.number(text) for text in values.texts(element)]
            return Verdict(values.made(element, numbers), "identifier as a number")
        if vr in safety.SHORT_TEXT and self._names_somebody(element):
            return self._unnamed(element, code, "identifier in a text")
        return Verdict(element)

    def _unnamed(self, element: DataElement, code: str, rule: str) -> Verdict:
        if code == "X":
            return Verdict(None, rule)
        if element.VR == "CS" and code == "D":  # an Image Type is what its other values say (PS3.3 C.7.6.1.1.2)
            return Verdict(values.replaced(element, self._said_by_nobody), rule)
        return Verdict(values.made(element, None if code == "Z" else self._dummy(element)), rule)

    def _said_by_nobody(self, text: str) -> str:
        return str(values.dummy("CS")) if self.identity.stands_in(text) else text

    def _date_outside(self, element: DataElement) -> Verdict:
        if Option.RETAIN_FULL_DATES in self.profile.options and _are_dates(element):
            return Verdict(element)
        gone = Verdict(None, "date outside the table")
        return self._moved(element, "date outside the table moved") or gone

    def _names_somebody(self, element: DataElement) -> bool:
        return any(self.identity.stands_in(text) for text in values.texts(element))


def _are_dates(element: DataElement) -> bool:
    return all(moved(element.VR, text, timedelta(0)) is not None for text in values.texts(element))
