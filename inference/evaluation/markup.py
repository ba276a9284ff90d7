"""HTML by small functions: everything is escaped, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from inference.evaluation.pictures.exhibit import Exhibit

STYLE = Path(__file__).with_name("page.css")


def tag(name: str, content: str, **attributes: str) -> str:
    """Return an element around HTML; `class` is given as `kind`."""
    named = {"class" if key == "kind" else key: value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(value)}"' for key, value in named.items())
    return f"<{name}{written}>{content}</{name}>"


def paragraph(words: str) -> str:
    """Return a paragraph of plain words."""
    return tag("p", escape(words))


def items(sentences: Iterable[str]) -> str:
    """Return a list of sentences."""
    return tag("ul", "".join(tag("li", escape(each)) for each in sentences))


def cell(text: str) -> str:
    """Return a cell; an interval stands below its value."""
    value, bracket, rest = text.partition(" [")
    if not bracket:
        return tag("td", escape(text))
    return tag("td", escape(value) + tag("span", escape(f"[{rest}"), kind="interval"))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column names the rows; wide ones scroll by themselves."""
    header = tag("tr", "".join(tag("th", escape(each), scope="col") for each in head))
    body = "".join(
        tag("tr", tag("th", escape(name), scope="row") + "".join(cell(each) for each in cells)) for name, *cells in rows
    )
    whole = tag("caption", escape(caption)) + tag("thead", header) + tag("tbody", body)
    return tag("div", tag("table", whole), kind="wide", role="region", tabindex="0", **{"aria-label": caption})


def section(key: str, title: str, *parts: str) -> str:
    """Return a part of a page that can be linked to."""
    return tag("section", tag("h2", escape(title)) + "".join(parts), id=key)


def exhibit_section(exhibit: Exhibit) -> str:
    """Return a picture with its caption, or why there is none."""
    if exhibit.draw is None:
        return section(exhibit.key, exhibit.title, tag("p", escape(exhibit.caption), kind="absent"))
    return section(exhibit.key, exhibit.title, tag("p", escape(exhibit.caption), kind="caption"), picture(exhibit))


def picture(exhibit: Exhibit) -> str:
    """Return the image for light and dark pages."""
    size = f'width="{exhibit.width}" height="{exhibit.height}"'
    path = f"pictures/{exhibit.stem}"
    image = f'<img src="{path}.png" alt="{escape(exhibit.alt)}" {size}>'
    if exhibit.on_black:
        return tag("figure", image)
    dark = f'<source srcset="{path}-dark.png" media="(prefers-color-scheme: dark)">'
    return tag("figure", tag("picture", dark + image))


def contents(parts: Sequence[tuple[str, str]]) -> str:
    """Return links to the parts of a page."""
    links = "".join(tag("li", tag("a", escape(title), href=f"#{key}")) for key, title in parts)
    return tag("nav", tag("ul", links), **{"aria-label": "Contents"})


def document(title: str, body: str) -> str:
    """Return a page that needs neither network nor scripts."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        + tag("title", escape(title))
        + tag("style", STYLE.read_text(encoding="utf-8"))
    )
    return f'<!doctype html>\n<html lang="en">{tag("head", head)}{tag("body", tag("main", body))}</html>\n'
