"""What every label of a data folder is about, and how cards name and code it."""

from __future__ import annotations

from collections.abc import Sequence

from inference.types import Code

LABELLED_NAME, LABELLED = "pneumonia", Code("233604007", "SCT", "Pneumonia")


def labelled_among(findings: Sequence[tuple[str, Code]]) -> int | None:
    """Return where the finding of the labels stands among names and codes, None where it does not.

    It is known by its code; a finding of that name coded in another scheme is it too, for a code of another scheme
    says neither that it is nor that it is not.
    """
    coded = [(code.value, code.scheme) == (LABELLED.value, LABELLED.scheme) for _, code in findings]
    named = [name.casefold() == LABELLED_NAME and code.scheme != LABELLED.scheme for name, code in findings]
    return next((known.index(True) for known in (coded, named) if True in known), None)


def told(name: str, code: Code) -> str:
    """Return a finding as reports name it."""
    return f"{name} ({code.value} of {code.scheme})"
