"""A picture with what people need to read it, or a sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from inference.evaluation.pictures.gallery import BLACK
from inference.evaluation.pictures.style import Draw, write, write_both

PIXELS_PER_INCH = 96  # of a page
# How files of pictures that show films begin: a page may have to do without them.
FILMS = "films-"
PICTURES = "pictures"
FILM_PICTURES = f"{PICTURES}/{FILMS}*.png"


@dataclass(frozen=True)
class Exhibit:
    """A picture of a report.

    Attributes
    ----------
    key
        Name of its place in the page.
    caption
        One sentence that says what to look for.
    alt
        What it shows, for those who do not see it.
    draw
        None: there is no such picture, and `caption` says why.
    on_black
        True for films, which are read on black whatever the page is like.
    """

    key: str
    title: str
    caption: str
    alt: str = ""
    size: tuple[float, float] = (10.8, 4.0)
    draw: Draw | None = None
    on_black: bool = False

    @property
    def width(self) -> int:
        """Width on a page in pixels."""
        return round(self.size[0] * PIXELS_PER_INCH)

    @property
    def height(self) -> int:
        """Height on a page in pixels."""
        return round(self.size[1] * PIXELS_PER_INCH)

    @property
    def stem(self) -> str:
        """Name of its file without ending."""
        return f"{FILMS}{self.key}" if self.on_black else self.key

    @property
    def withheld(self) -> Exhibit:
        """The sentence in the place of a picture of films."""
        words = "This page was written without films; on those of your own copy of the data the command shows them."
        return Exhibit(self.key, self.title, words)

    def write(self, folder: Path) -> None:
        """Write the picture, if there is one."""
        if self.draw is None:
            return
        path = folder / f"{self.stem}.png"
        if self.on_black:
            write(path, self.size, self.draw, BLACK)
        else:
            write_both(path, self.size, self.draw)


def write_exhibits(exhibits: Sequence[Exhibit], out: Path, progress: Progress) -> None:
    """Write every picture to `pictures`."""
    folder = out / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for exhibit in progress.track(exhibits, description="pictures"):
        exhibit.write(folder)
