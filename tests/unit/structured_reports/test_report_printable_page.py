"""Whose a printed page is, and that its words stay on it."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from structured_reports.errors import InvalidObjectError
from structured_reports.header import read_header
from structured_reports.pdf import pdf
from structured_reports.pdf_findings import small_print
from structured_reports.pdf_identity import NOT_KNOWN, NOT_PRINTABLE, identity
from structured_reports.pdf_paper import MARGIN_MM, WIDTH_MM, Paper, cut, is_printable, width_of, wrapped


def _of(header: Dataset) -> dict[str, str]:
    return dict(identity(read_header(header)))


@pytest.mark.parametrize(
    ("name", "charset", "printed"),
    [
        ("Doe^Jane^M^Dr", None, "Doe, Jane M Dr"),
        ("Müller^Jörg", "ISO_IR 100", "Müller, Jörg"),
        ("Люкceмбypг^X", "ISO_IR 144", "Люкceмбypг, X"),
        ("Διονυσιος", "ISO_IR 126", "Διονυσιος"),
        ("Yamada^Tarou=山田^太郎", "ISO_IR 192", "Yamada, Tarou"),
        ("王^小东", "ISO_IR 192", NOT_PRINTABLE),
        ("قباني^لنزار", "ISO_IR 192", NOT_PRINTABLE),
        ("", None, NOT_KNOWN),
        ("^^", None, NOT_KNOWN),
    ],
)
def test_a_name_is_printed_whole_or_not_at_all(name, charset, printed, header) -> None:
    header.PatientName = name
    if charset:
        header.SpecificCharacterSet = charset

    assert printed == _of(header)["Patient"]


def test_what_a_source_does_not_say_is_said_to_be_unknown(header) -> None:
    del header.PatientID

    assert [NOT_KNOWN] * 5 == [value for label, value in identity(read_header(header)) if label != "Patient"]


def test_birth_date_and_sex_are_printed(header) -> None:
    header.PatientBirthDate, header.PatientSex = "19510203", "F"

    assert "1951-02-03, sex F" == _of(header)["Born"]


def test_sex_is_printed_without_a_birth_date(header) -> None:
    header.PatientSex = "F"

    assert f"{NOT_KNOWN}, sex F" == _of(header)["Born"]


@pytest.mark.parametrize("words", ["नमस्ते", "e\u0301", "שלום", "漢", "a\tb"])
def test_what_needs_shaping_or_has_no_letters_is_not_printable(words) -> None:
    assert not is_printable(words)


def test_a_notice_that_cannot_be_printed_is_refused_by_name(score_of, request_of) -> None:
    with pytest.raises(InvalidObjectError, match="notice"):
        pdf(request_of(score_of(0.9), notice="診断用ではありません"), {})


def test_a_finding_that_cannot_be_printed_is_refused_by_name(score_of, request_of) -> None:
    with pytest.raises(InvalidObjectError, match="finding"):
        pdf(request_of(score_of(0.9, name="肺炎")), {})


@pytest.mark.parametrize("words", ["W" * 300, "some words of a statement " * 20])
def test_lines_stay_in_their_width(words) -> None:
    lines = wrapped(words, 8, 60, most=3)

    assert (len(lines) <= 3, max(width_of(line, 8) for line in lines) <= 60) == (True, True)


def test_a_word_that_is_longer_than_a_line_is_broken() -> None:
    lines = wrapped("W" * 90, 8, 60)

    assert ("W" * 90, True) == ("".join(lines), max(width_of(line, 8) for line in lines) <= 60)


@pytest.fixture
def printed(monkeypatch) -> list[tuple[str, float, float]]:
    """Return a list to which words, their base line and how far they reach are added as they are printed."""
    found = []
    real = Paper.text

    def text(paper, words, x, y, size, *, bold=False, grey=0.0) -> None:
        found.append((words, y, x + width_of(words, size, bold=bold)))
        real(paper, words, x, y, size, bold=bold, grey=grey)

    monkeypatch.setattr(Paper, "text", text)
    return found


def test_every_finding_above_its_threshold_is_printed(square, score_of, request_of, printed) -> None:
    names = [f"finding with a name that takes more than one line of its column, {n}x" for n in range(18)]

    pdf(request_of(*[score_of(0.9, saliency=square, name=name) for name in names]), {})

    title = 40
    words = " ".join(words for words, y, _ in printed if y > title)
    assert [] == [n for n in range(18) if f" {n}x" not in words]
    assert "..." not in words
    assert max(end for _, _, end in printed) <= WIDTH_MM - MARGIN_MM


def test_findings_that_have_no_room_are_counted(score_of) -> None:
    above = [score_of(0.9, name=f"finding {n}x") for n in range(300)]

    size, lines = small_print(above, 20)

    named = sum(f"finding {n}x 90" in " ".join(lines) for n in range(300))
    assert 10 < named < 300
    assert f", and {300 - named} more above their threshold: see the Structured Report" in " ".join(lines)
    assert (6, True) == (size, len(lines) * size * 0.48 <= 20)


def test_what_is_cut_says_so() -> None:
    assert cut("W" * 300, 8, 60).endswith("W ...")
