"""The way through a data set and its sequences, attribute by attribute."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from dicom_node.deidentify import safety
from dicom_node.deidentify.elements import Rules
from dicom_node.deidentify.profile import Option
from dicom_node.deidentify.values import made
from dicom_node.deidentify.verdicts import Acted, Manner, Place, Verdict

MALFORMED = "malformed value"

Element = DataElement | RawDataElement


class Walk:
    """One data set's walk; `acted` says what was done on it."""

    def __init__(self, rules: Rules) -> None:
        self.acted: list[Acted] = []
        self._rules = rules

    def through(
        self, source: Dataset, path: str = "", sequence: str | None = None, manner: Manner = Manner.AS_USUAL
    ) -> Dataset:
        """Return what remains of a data set or an item.

        Parameters
        ----------
        sequence
            Keyword of the sequence around it; None at the top.
        manner
            Of an item: what the action of the sequence around it asks of its attributes.
        """
        place = Place(source, sequence, manner)
        kept: dict[BaseTag, Element] = {}
        for raw in sorted(source.values(), key=_number):  # as they stand in the file: few are decoded
            element = self._kept(source, raw, place, path)
            if element is not None:
                kept[raw.tag] = element
        _keep_creators(source, kept)
        return _like(source, kept)

    def _kept(self, source: Dataset, raw: Element, place: Place, path: str) -> Element | None:
        tag = raw.tag
        try:
            verdict = self._verdict(source, raw, place)
        except Exception:
            verdict = Verdict(None, MALFORMED)
        if verdict is None:  # a creator, which stays if something of its block does
            return None
        element = verdict.element
        name = path + (keyword_for_tag(tag) or str(tag)) if verdict.rule or (element and element.VR == "SQ") else ""
        if verdict.rule:
            self.acted.append(Acted(name, verdict.rule))
        if element is not None and element.VR == "SQ" and isinstance(element, DataElement):
            items = [
                self.through(item, f"{name}[{number}]/", element.keyword or name, verdict.items)
                for number, item in enumerate(element.value)
            ]
            return made(element, Sequence(items))
        return element

    def _verdict(self, source: Dataset, raw: Element, place: Place) -> Verdict | None:
        tag, number = raw.tag, _number(raw)
        if reason := safety.foreign(number):
            return Verdict(None, reason)
        if tag.is_private:
            return self._private(source, tag, place)
        if not safety.believed(number, raw.VR):
            return self._rules.disbelieved(source, tag, place)
        return self._rules.public(source, tag, place)

    def _private(self, source: Dataset, tag: BaseTag, place: Place) -> Verdict | None:
        if tag.is_private_creator:
            return None
        creator = source.get(_creator(tag)) if Option.RETAIN_SAFE_PRIVATE in self._rules.profile.options else None
        if place.manner is Manner.DUMMY or creator is None:
            return Verdict(None, "private attribute")
        return self._rules.private(source, tag, str(creator.value))


def _number(raw: Element) -> int:
    """Return the tag as a plain number: a BaseTag is compared in Python, a hundred times per instance and table."""
    return int(raw.tag)


def _creator(tag: BaseTag) -> BaseTag:
    return Tag(tag.group, tag.element >> 8)


def _keep_creators(source: Dataset, kept: dict[BaseTag, Element]) -> None:
    for creator in {_creator(tag) for tag in kept if tag.is_private}:
        kept[creator] = source[creator]


def _like(source: Dataset, kept: dict[BaseTag, Element]) -> Dataset:
    """Return a data set with another's encoding, so that what is kept unread is written as it was."""
    target = Dataset(kept, parent_encoding=source._parent_encoding)
    implicit, little = source.original_encoding
    if implicit is not None and little is not None:
        target.set_original_encoding(implicit, little, source.original_character_set)
    return target
