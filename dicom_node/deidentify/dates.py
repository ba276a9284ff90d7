"""Dates moved by whole days: what lies between two of them, and the time of day, stays as it was."""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")  # ACR-NEMA wrote points (PS3.5 Table 6.2-1, DA)
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")
_TIME = re.compile(r"\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?")
_ZONE = re.compile(r"[+-]\d{4}")


def moved(vr: str, text: str, shift: timedelta) -> str | None:
    """Return one value of VR DA, DT, TM or SH (a time zone), moved; None where it cannot be moved.

    A DT without its day cannot: a year alone would show how far it was moved.
    """
    text = text.strip(" \0")
    if not text:
        return ""
    if vr == "DA":
        return _moved_date(text, shift)
    if vr == "DT":
        return _moved_date_time(text, shift)
    pattern = {"TM": _TIME, "SH": _ZONE}.get(vr)
    return text if pattern and pattern.fullmatch(text) else None


def _moved_date(text: str, shift: timedelta) -> str | None:
    parts = _DATE.fullmatch(text)
    if parts is None:
        return None
    try:
        return (date(*map(int, parts.groups())) + shift).strftime("%Y%m%d").zfill(8)
    except (ValueError, OverflowError):
        return None


def _moved_date_time(text: str, shift: timedelta) -> str | None:
    parts = _DATE_TIME.fullmatch(text)
    if parts is None:
        return None
    day = _moved_date(parts[1], shift)
    return None if day is None else day + (parts[2] or "") + (parts[3] or "")
