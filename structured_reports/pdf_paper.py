"""A sheet to write on: fonts that are embedded, lines that stay in their width, the same bytes each time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

MM = 72 / 25.4
"""Points in a millimeter."""

# As wide as A4 and as high as Letter: what is printed on either is neither cut nor scaled
WIDTH_MM, HEIGHT_MM = 210.0, 279.4
MARGIN_MM = 15.0

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
_FONTS = Path(__file__).with_name("fonts")
_MM_PER_POINT = 1 / MM

Grey = float
"""0.0 black to 1.0 white: the page is to be read from a black and white printer too."""
BLACK, DARK, LIGHT = 0.0, 0.3, 0.8


class Paper:
    """One page; places are millimeters from its upper left corner, text stands on its base line."""

    def __init__(self, title: str, author: str) -> None:
        _register()
        self._buffer = BytesIO()
        # invariant: neither clock nor random number
        size = (WIDTH_MM * MM, HEIGHT_MM * MM)
        self._canvas = Canvas(self._buffer, pagesize=size, invariant=1, lang="en-US", initialFontName=REGULAR)
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setSubject(title)
        self._canvas.setCreator(author)

    def text(self, words: str, x: float, y: float, size: float, *, bold: bool = False, grey: Grey = BLACK) -> None:
        """Write `words` from `x` to the right."""
        self._use(size, bold, grey)
        self._canvas.drawString(x * MM, (HEIGHT_MM - y) * MM, words)

    def text_to(self, words: str, x: float, y: float, size: float, *, bold: bool = False, grey: Grey = BLACK) -> None:
        """Write `words` so that they end at `x`."""
        self._use(size, bold, grey)
        self._canvas.drawRightString(x * MM, (HEIGHT_MM - y) * MM, words)

    def centred(self, words: str, x: float, y: float, size: float, *, bold: bool = False, grey: Grey = BLACK) -> None:
        """Write `words` around `x`."""
        self._use(size, bold, grey)
        self._canvas.drawCentredString(x * MM, (HEIGHT_MM - y) * MM, words)

    def rule(self, y: float, grey: Grey = LIGHT) -> None:
        """Draw a line from margin to margin."""
        self._canvas.setStrokeGray(grey)
        self._canvas.setLineWidth(0.5)
        height = (HEIGHT_MM - y) * MM
        self._canvas.line(MARGIN_MM * MM, height, (WIDTH_MM - MARGIN_MM) * MM, height)

    def box(self, y: float, height: float) -> None:
        """Draw a frame from margin to margin, below `y`."""
        self._canvas.setStrokeGray(BLACK)
        self._canvas.setLineWidth(1.2)
        bottom = (HEIGHT_MM - y - height) * MM
        self._canvas.rect(MARGIN_MM * MM, bottom, (WIDTH_MM - 2 * MARGIN_MM) * MM, height * MM)

    def picture(self, image: Image.Image, x: float, y: float, width: float, height: float) -> None:
        """Draw an image with its upper left corner at (`x`, `y`), without loss."""
        at = (x * MM, (HEIGHT_MM - y - height) * MM)
        self._canvas.drawImage(ImageReader(image), *at, width * MM, height * MM)

    def content(self) -> bytes:
        """Return the finished document."""
        self._canvas.showPage()
        self._canvas.save()
        return self._buffer.getvalue()

    def _use(self, size: float, bold: bool, grey: Grey) -> None:
        self._canvas.setFont(BOLD if bold else REGULAR, size)
        self._canvas.setFillGray(grey)


def width_of(words: str, size: float, *, bold: bool = False) -> float:
    """Return how many millimeters wide `words` are at `size` points."""
    _register()
    return float(pdfmetrics.stringWidth(words, BOLD if bold else REGULAR, size)) * _MM_PER_POINT


def wrapped(words: str, size: float, width: float, most: int | None = None, *, bold: bool = False) -> list[str]:
    """Return `words` in lines of `width` millimeters; a word that is longer is broken.

    Parameters
    ----------
    most
        Number of lines after which the rest is left out, visibly by three dots; None where every word must be shown.
    """
    lines = [""]
    for part in _parts(words, size, width, bold):
        longer = f"{lines[-1]} {part}".strip()
        if width_of(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), size, width, bold=bold)]


def _parts(words: str, size: float, width: float, bold: bool) -> Iterator[str]:
    """Yield the words, those that are wider than a line in pieces."""
    for word in words.split():
        rest = word
        while len(rest) > 1 and width_of(rest, size, bold=bold) > width:
            # At least one sign, so that a line that is narrower than it ends too
            fitting = next((n for n in range(len(rest) - 1, 1, -1) if width_of(rest[:n], size, bold=bold) <= width), 1)
            yield rest[:fitting]
            rest = rest[fitting:]
        yield rest


def cut(words: str, size: float, width: float, *, bold: bool = False) -> str:
    """Return `words` within `width` millimeters, shortened visibly where they are longer."""
    if width_of(words, size, bold=bold) <= width:
        return words
    while words and width_of(f"{words} ...", size, bold=bold) > width:
        words = words[:-1]
    return f"{words.rstrip()} ..."


def is_printable(words: str) -> bool:
    """Return whether the page shows every sign of `words` as it is to be read.

    What is written from right to left or joined as in Arabic and Indian scripts needs shaping, which is not done here:
    it would be printed as another name.
    """
    known = _glyphs()
    return all(ord(sign) in known and _stands_alone(sign) for sign in words)


def _stands_alone(sign: str) -> bool:
    return unicodedata.bidirectional(sign) not in ("R", "AL", "AN") and unicodedata.category(sign)[0] not in "MC"


@cache
def _register() -> None:
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))


@cache
def _glyphs() -> frozenset[int]:
    """Return the signs that both weights have."""
    _register()
    faces = [pdfmetrics.getFont(name).face for name in (REGULAR, BOLD)]
    return frozenset.intersection(*(frozenset(face.charToGlyph) for face in faces))
