"""Whose result a printed page is: a sheet of paper has no header."""

from __future__ import annotations

from structured_reports.header import SourceHeader
from structured_reports.pdf_paper import is_printable

NOT_PRINTABLE = "in signs that this page does not print: see the record"
NOT_KNOWN = "not given"


def identity(header: SourceHeader) -> list[tuple[str, str]]:
    """Return label and value of what names patient and study, as the source says it.

    A value is printed whole or not at all: half a name is another name.
    """
    sex = str(header.get("PatientSex") or "")
    born = _date(header, "PatientBirthDate")
    study = " ".join(part for part in (_date(header, "StudyDate"), _clock(header, "StudyTime")) if part)
    return [
        ("Patient", _name(header)),
        ("Patient ID", _printed(str(header.get("PatientID") or ""))),
        ("Born", f"{_printed(born)}, sex {_printed(sex)}" if sex else _printed(born)),
        ("Accession", _printed(str(header.get("AccessionNumber") or ""))),
        ("Study", _printed(study)),
        ("Procedure", _printed(str(header.get("StudyDescription") or ""))),
    ]


def _name(header: SourceHeader) -> str:
    """Return the first of the writings of a name that can be printed (PS3.5 6.2.1)."""
    value = header.get("PatientName")
    if not value or not str(value).strip("^= "):
        return NOT_KNOWN
    writings = [str(part) for part in (value.alphabetic, value.ideographic, value.phonetic) if str(part).strip("^ ")]
    printable = [one for one in map(_in_words, writings) if is_printable(one)]
    return printable[0] if printable else NOT_PRINTABLE


def _in_words(writing: str) -> str:
    """Return ``Family, Given Middle`` of one writing of a name; prefix and suffix follow."""
    family, *others = (part.strip() for part in writing.split("^"))
    rest = " ".join(part for part in others if part)
    return f"{family}, {rest}" if family and rest else family or rest


def _printed(value: str) -> str:
    value = value.strip()
    if not value:
        return NOT_KNOWN
    return value if is_printable(value) else NOT_PRINTABLE


def _date(header: SourceHeader, keyword: str) -> str:
    """Return a date as YYYY-MM-DD, or as it stands where it is no date (PS3.5 6.2, VR DA)."""
    value = str(header.get(keyword) or "").strip()
    digits = value.replace(".", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else value


def _clock(header: SourceHeader, keyword: str) -> str:
    digits = str(header.get(keyword) or "").replace(":", "").strip()
    return f"{digits[:2]}:{digits[2:4]}" if len(digits) >= 4 and digits[:4].isdigit() else ""
