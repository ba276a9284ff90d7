"""Which instances a model is asked about: rules on what an instance says of itself and on who sent it where.

A rule names DICOM keywords and the AE titles of the association, each with patterns. Every one of them must match;
what an instance does not say matches no pattern. A model without a rule is asked about everything, and its own card
decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydicom.dataset import Dataset

from dicom_node.errors import is_from_machine
from inference.deflated import read_instance
from inference.header_terms import quoted
from inference.projection import ATTRIBUTES, text_of

# AE titles of the association that brought the instance (PS3.8 9.3.2).
CALLED, CALLING = "called", "calling"

# What hospitals route by, beside what a model may see. None says whose the image is, and none is logged.
DESCRIPTIONS = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription",
    "StationName", "Manufacturer", "ManufacturerModelName",
)  # fmt: skip

ROUTABLE = (CALLED, CALLING, *ATTRIBUTES, *DESCRIPTIONS)

# Of these a refusal quotes the values, where they are terms of the standard: neither free text nor anything of a person
_QUOTED = ("Modality", "BodyPartExamined")


def _routable(keyword: str) -> str:
    if keyword not in ROUTABLE:
        raise ValueError(f"a rule asks for {', '.join(ROUTABLE)}")
    return keyword


Pattern = Annotated[str, Field(min_length=1, max_length=128)]
Rule = Mapping[Annotated[str, AfterValidator(_routable)], Annotated[tuple[Pattern, ...], Field(min_length=1)]]
"""Keyword to patterns, of which one must match: `*`, `?` and `[...]` as in a shell, upper and lower case alike."""

Facts = Mapping[str, tuple[str, ...]]
"""Keyword to the values that an instance has; the keywords that it says nothing of are absent."""


def matches(rule: Rule, facts: Facts) -> bool:
    """Return whether an instance with these facts is one that the rule means.

    An association that is not known, as of a file or of an instance that a scan of the spool found after a crash,
    speaks against no rule: it is better to be read by one model too many than by none.
    """
    return all(_met(keyword, patterns, facts) for keyword, patterns in rule.items())


def _met(keyword: str, patterns: Sequence[str], facts: Facts) -> bool:
    if keyword in (CALLED, CALLING) and keyword not in facts:
        return True
    return any(fnmatchcase(value.upper(), pattern.upper()) for value in facts.get(keyword, ()) for pattern in patterns)


def facts_of(path: Path, calling_ae: str, called_ae: str) -> Facts:
    """Return what rules may ask of an instance.

    Raises
    ------
    OSError
        The disk, not the instance.
    """
    header = _header(path)
    facts = {keyword: tuple(text_of(header, keyword).split("\\")) for keyword in (*ATTRIBUTES, *DESCRIPTIONS)}
    facts |= {CALLING: (calling_ae,), CALLED: (called_ae,)}
    return {keyword: values for keyword, values in facts.items() if any(values)}


def _header(path: Path) -> Dataset:
    try:
        return read_instance(path, stop_before_pixels=True, specific_tags=[*ATTRIBUTES, *DESCRIPTIONS])
    except Exception as error:  # pydicom raises nearly anything on a broken file: it says nothing, then
        if is_from_machine(error):
            raise
        return Dataset()


def described(facts: Facts) -> str:
    """Return in a few words what an instance is, for the reason of a refusal: no identity, no free text."""
    told = [quoted(keyword, " ".join(facts[keyword])).replace(":", "", 1) for keyword in _QUOTED if keyword in facts]
    told += [f"called AE title {' '.join(facts[CALLED])}"] if CALLED in facts else []
    return ", ".join(told) or "its header says nothing that a rule asks for"
