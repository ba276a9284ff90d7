"""Dates, UIDs and long numbers in bytes, however they are written: one pass finds the digits for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_RUNS = re.compile(rb"[0-9][0-9 ./()\-]{2,}[0-9]")
_UIDS = re.compile(rb"[0-9][0-9.]*[0-9]")
_SEPARATORS = b" -./()"
_BETWEEN = rb"[ \-./()]*"
# A whole number, or the start of a date time.
_TOGETHER = re.compile(rb"(?<![0-9])([0-9]{8})(?:[0-9]{6})?(?![0-9])")
_APART = re.compile(
    rb"(?<![0-9])(?<![0-9]\.)([0-9]{1,4})([-./])([0-9]{1,2})\2([0-9]{1,4}|[0-9]{8})(?![0-9])(?!\.[0-9])"
)
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_BEFORE = re.compile(rb"(?<![0-9])([0-9]{1,2})(?:st|nd|rd|th)?[ .,\-/]{0,2}$")
_YEAR_AFTER = re.compile(rb"[a-z]{0,6}[ .,\-/]{0,2}([0-9]{4})(?![0-9])")
_DAY_AND_YEAR_AFTER = re.compile(rb"[a-z]{0,6}[ .\-]{0,2}([0-9]{1,2})(?:st|nd|rd|th)?[ ,.\-]{1,3}([0-9]{4})(?![0-9])")
_AFTER = 24
_FEWEST_DIGITS = 7
# What is longer, has dots only and starts like a UID is one: in so many digits a number of seven stands by chance.
_LONGEST_NUMBER = 20
_UID_START = re.compile(rb"[0-2]\.[0-9.]+$")


def runs_of(haystack: bytes) -> tuple[bytes, ...]:
    """Return what consists of digits and separators, each once."""
    return tuple(dict.fromkeys(_RUNS.findall(haystack)))


def uids_in(runs: Iterable[bytes]) -> set[bytes]:
    """Return what could be a UID: digits and dots, as long as they go on."""
    return set(_UIDS.findall(b"\n".join(runs)))


def dates_in(runs: Iterable[bytes]) -> Iterator[tuple[str, bytes, bool]]:
    """Yield each date as YYYYMMDD that digits may mean, what they are, and whether only a date of birth is so written.

    Notes
    -----
    Eight digits with the day first, and a year of two digits, mean many things: of the dates only one of birth is
    looked for in them.
    """
    text = b"\n".join(runs)
    for match in _TOGETHER.finditer(text):
        digits = match[1].decode("ascii")
        yield digits, match[0], False
        yield digits[4:] + digits[2:4] + digits[:2], match[0], True
        yield digits[4:] + digits[:4], match[0], True
    for match in _APART.finditer(text):
        first, middle, last = (match[number].decode("ascii") for number in (1, 3, 4))
        for date, only_birth in _meanings(first, middle, last):
            yield date, match[0], only_birth


def _meanings(first: str, middle: str, last: str) -> Iterator[tuple[str, bool]]:
    if len(first) == 4 and len(last) <= 2:
        yield first + middle.zfill(2) + last.zfill(2), False
    elif len(last) == 4 and len(first) <= 2:
        yield last + middle.zfill(2) + first.zfill(2), False
        yield last + first.zfill(2) + middle.zfill(2), False
    elif len(last) == 2 and len(first) <= 2:
        for century in ("19", "20"):
            yield century + last + middle.zfill(2) + first.zfill(2), True
            yield century + last + first.zfill(2) + middle.zfill(2), True
            if len(first) == 2:
                yield century + first + middle.zfill(2) + last.zfill(2), True


def months_in(haystack: bytes, months: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Yield each date, as YYYYMMDD, in which one of these months is named in English, and how it goes on."""
    for month in months:
        name = _MONTHS[month - 1]
        position = haystack.find(name)
        while position >= 0:
            for year, day in _around(haystack, position, position + len(name)):
                yield f"{year.decode()}{month:02}{day.decode().zfill(2)}", haystack[position : position + _AFTER]
            position = haystack.find(name, position + 1)


def _around(haystack: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    before, after = haystack[max(start - 6, 0) : start], haystack[end : end + _AFTER]
    if (day := _BEFORE.search(before)) and (year := _YEAR_AFTER.match(after)):
        yield year[1], day[1]
    if both := _DAY_AND_YEAR_AFTER.match(after):
        yield both[2], both[1]


def number_pattern(text: str, is_telephone: bool) -> tuple[bytes, re.Pattern[bytes]] | None:
    """Return the digits of a number and what finds them with other separators; None where it has fewer than seven.

    Notes
    -----
    Of a telephone number the last seven: before them stand other prefixes for the same place. Of an identifier all,
    behind as many zeros as one likes.
    """
    digits = re.sub(r"\D", "", text) if text.isascii() else ""
    digits = digits[-_FEWEST_DIGITS:] if is_telephone else digits.lstrip("0")
    if len(digits) < _FEWEST_DIGITS or len(set(digits)) < 3:
        return None
    apart = _BETWEEN.join(digit.encode("ascii") for digit in digits)
    start = b"" if is_telephone else rb"(?<![0-9])0*" + _BETWEEN
    return digits.encode("ascii"), re.compile(start + apart + rb"(?![0-9])")


def numbers_of(runs: Iterable[bytes]) -> bytes:
    """Return the runs without UIDs, one a line."""
    return b"\n".join(run for run in runs if len(run) <= _LONGEST_NUMBER or not _UID_START.match(run))


def digits_of(numbers: bytes) -> bytes:
    """Return the digits of runs without separators, one run a line."""
    return numbers.translate(None, _SEPARATORS)
